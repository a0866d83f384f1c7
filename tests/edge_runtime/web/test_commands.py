"""`fer-edge run --preview` and `fer-edge serve` as a user starts them."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pages import ask, bare_viewer, get, next_message, pair, talk, told
from waiting import LONG_S

pytest.importorskip("skimage", reason="needs scikit-image (extra demo)")

Start = Callable[..., tuple[subprocess.Popen[str], str]]
CERTIFICATE = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1")


@pytest.fixture
def start(start_fer_edge: Callable[..., subprocess.Popen[str]]) -> Iterator[Start]:
    """Give a function from arguments to a process that serves, and the address that it has told."""
    processes = []

    def begin(*arguments: str | Path) -> tuple[subprocess.Popen[str], str]:
        process = start_fer_edge(*arguments)
        processes.append(process)
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.fullmatch(r"the page is at (\S+)\n", line)
        assert found is not None, line + process.stderr.read()
        return process, found[1]

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def preview(address: str = "127.0.0.1:0", *more: str | Path) -> tuple[str | Path, ...]:
    return (
        "run",
        "--source",
        "demo",
        "--set",
        "output.jsonl.path=/dev/null",
        "--output",
        "jsonl",
        "--preview",
        address,
        *more,
    )


def resident_kb(process: subprocess.Popen[str]) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def ended(process: subprocess.Popen[str]) -> tuple[int, str, float]:
    """End it by SIGTERM: exit code, stderr, seconds."""
    began_s = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, told_ = process.communicate(timeout=LONG_S)
    return process.returncode, told_, time.monotonic() - began_s


def test_the_picture_and_what_is_seen_in_it(start: Start) -> None:
    process, url = start(*preview())
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)

    async def work(client: aiohttp.ClientSession) -> dict[str, Any]:
        async with client.ws_connect(f"{url}api/v1/stream") as viewer:
            while True:
                state, jpeg = await pair(viewer)
                assert jpeg.startswith(b"\xff\xd8\xff")
                await viewer.send_str("next")
                if state["result"]["faces"] and state["fps"]:
                    return state

    state = talk(work)
    assert (state["source"], state["picture"]) == ("demo", {"width": 400, "height": 300})
    assert state["result"]["faces"][0]["expression"] == "happy"
    code, messages, _ = ended(process)
    assert (code, messages.splitlines()[0].split()[0]) == (0, "frames")


def test_it_ends_in_time_while_viewers_hang(start: Start) -> None:
    process, url = start(*preview())
    port = int(url.rsplit(":", 1)[1].strip("/"))
    viewers = [bare_viewer(port, buffer=4096) for _ in range(20)]
    for viewer in viewers:
        viewer.sendall(next_message() * 50)
        assert viewer.recv(12) == b"HTTP/1.1 101"
    code, messages, seconds = ended(process)
    assert code == 0
    assert "hangs" not in messages
    assert "Traceback" not in messages
    assert seconds < LONG_S
    for viewer in viewers:
        viewer.close()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_viewers_who_are_too_slow_take_no_memory(start: Start) -> None:
    process, url = start(*preview())
    port = int(url.rsplit(":", 1)[1].strip("/"))

    async def view(client: aiohttp.ClientSession, pictures: int) -> None:
        async with client.ws_connect(f"{url}api/v1/stream") as viewer:
            for _ in range(pictures):
                await pair(viewer)
                await viewer.send_str("next")

    talk(lambda client: view(client, 10))
    before = resident_kb(process)
    viewers = [bare_viewer(port, buffer=4096) for _ in range(45)]
    for _ in range(6):
        for viewer in viewers:
            viewer.sendall(next_message() * 10)
        talk(lambda client: view(client, 10))
    # 45 pictures of 20 KB and what a connection takes: had each got all pictures, 50 MB.
    assert resident_kb(process) - before < 20_000
    for viewer in viewers:
        viewer.close()


def test_serve_answers_browsers(start: Start, portrait: bytes) -> None:
    process, url = start("serve", "127.0.0.1:0")
    status, _, body = ask("POST", f"{url}api/v1/predict", data=portrait, headers={"Content-Type": "image/jpeg"})
    assert (status, told(body)["results"][0]["faces"][0]["expression"]) == (200, "happy")

    async def work(client: aiohttp.ClientSession) -> dict[str, Any]:
        async with client.ws_connect(f"{url}api/v1/camera") as browser:
            await browser.send_bytes(portrait)
            return told((await browser.receive(timeout=LONG_S)).data.encode())

    assert talk(work)["result"]["faces"][0]["expression"] == "happy"
    code, messages, _ = ended(process)
    assert (code, messages) == (0, "")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_serve_keeps_nothing_of_those_who_came(start: Start, portrait: bytes) -> None:
    process, url = start("serve", "127.0.0.1:0", "--set", "preview.predictions_per_minute=100000")

    async def work(client: aiohttp.ClientSession, times: int) -> None:
        for _ in range(times):
            async with client.post(f"{url}api/predict", data=b"x", headers={"Content-Type": "image/jpeg"}) as answer:
                assert answer.status in (400, 429)
            async with client.ws_connect(f"{url}api/v1/camera") as browser:
                await browser.send_bytes(b"x")
                await browser.receive(timeout=LONG_S)

    talk(lambda client: work(client, 50))
    before = resident_kb(process)
    talk(lambda client: work(client, 300))
    assert resident_kb(process) - before < 8_000


def test_all_addresses_need_the_token_that_is_shown(start: Start) -> None:
    _, url = start("serve", "0.0.0.0:0")
    port, token = re.fullmatch(r"http://[^/]+:(\d+)/\?token=([\w-]{32})", url).groups()  # type: ignore[union-attr]
    base = f"http://127.0.0.2:{port}"
    assert get(f"{base}/api/state")[0] == 401
    assert get(f"{base}/healthz")[0] == 200
    assert get(f"{base}/api/state", headers={"Authorization": f"Bearer {token}"})[0] == 200


def test_a_token_of_a_file_is_not_shown(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("0123456789abcdef\n")
    path.chmod(0o600)
    _, url = start(*preview("127.0.0.1:0", "--token-file", path))
    assert "token" not in url
    assert get(f"{url}api/state")[0] == 401
    assert get(f"{url}api/state", headers={"Authorization": "Bearer 0123456789abcdef"})[0] == 200


def test_ipv6(start: Start) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("needs IPv6")
    _, url = start("serve", "[::1]:0")
    with socket.create_connection(("::1", int(url.rsplit(":", 1)[1].strip("/")))) as client:
        client.sendall(f"GET /api/state HTTP/1.1\r\nHost: {url[7:-1]}\r\nConnection: close\r\n\r\n".encode())
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 ")


def test_tls(start: Start, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = subprocess.run(
        ["openssl", *CERTIFICATE, "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("needs openssl")
    token = tmp_path / "token"
    token.write_text("0123456789abcdef\n")
    token.chmod(0o600)
    _, url = start("serve", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key, "--token-file", token)
    assert url.startswith("https://127.0.0.1:")
    assert get(f"{url}healthz", ssl=False)[0] == 200
    _, headers, _ = get(f"{url}?token=0123456789abcdef", ssl=False)
    assert "Secure" in headers["Set-Cookie"]
    with pytest.raises(aiohttp.ClientError):
        get(url.replace("https", "http"))


@pytest.mark.parametrize("command", [preview, lambda place: ("serve", place)], ids=["run", "serve"])
def test_a_port_that_is_taken(
    fer_edge: Callable[..., subprocess.CompletedProcess[str]], command: Callable[[str], tuple[str, ...]]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = fer_edge(*command(place))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: cannot serve the page at {place}: {os.strerror(errno.EADDRINUSE)}; choose another HOST:PORT\n"
    )


@pytest.mark.parametrize(
    ("arguments", "told_"),
    [
        (("serve", "a:b:c"), "'a:b:c' is no HOST:PORT: give one such as 127.0.0.1:8080 or [::1]:8080"),
        (preview("host:99999"), "'host:99999' is no HOST:PORT: give one such as 127.0.0.1:8080 or [::1]:8080"),
        (("serve", "--tls-key", "/nowhere"), "a TLS key without a certificate: give preview.tls_cert as well"),
        (
            ("serve", "--tls-cert", "/nowhere"),
            "cannot use the certificate /nowhere with the key /nowhere: No such file ",
        ),
        (("serve", "--token-file", "/nowhere"), "cannot read token file /nowhere: No such file or directory"),
    ],
)
def test_what_cannot_be_meant(
    fer_edge: Callable[..., subprocess.CompletedProcess[str]], arguments: tuple[str, ...], told_: str
) -> None:
    done = fer_edge(*arguments)
    assert (done.returncode, done.stdout) == (1 if "token" in told_ else 2, "")
    assert done.stderr.startswith(f"error: {told_}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [preview(), ("serve",)], ids=["run", "serve"])
def test_without_the_extra(arguments: tuple[str, ...]) -> None:
    code = f"import sys; sys.modules['aiohttp'] = None; sys.argv = ['fer-edge', *{list(map(str, arguments))!r}]\n"
    code += "from fer_edge.__main__ import main; main()\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the page needs its extra: pip install 'fer-edge[web]'\n"


def test_a_run_without_a_page_loads_nothing_of_it(shared_data: Callable[[str], Path]) -> None:
    photo = str(shared_data("photos/skimage_astronaut.png"))
    code = (
        f"import sys; sys.argv = ['fer-edge', 'run', '--source', {photo!r}]\n"
        "from fer_edge.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "import json\n"
        "print(json.dumps([n for n in sys.modules if n.startswith(('aiohttp', 'asyncio', 'fer_edge.web', 'ssl'))]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
