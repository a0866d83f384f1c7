from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from pages import Shown, ask, get, talk, told

TOKEN = "0123456789abcdef0123"
PATHS = [
    ("GET", "/"),
    ("GET", "/page/index.html"),
    ("GET", "/page/nothing.js"),
    ("GET", "/nowhere"),
    ("GET", "/metrics"),
    ("GET", "/api/state"),
    ("GET", "/api/v1/state"),
    ("GET", "/api/v1/events"),
    ("GET", "/api/v1/stream"),
    ("GET", "/api/v1/camera"),
    ("GET", "/api/v1/openapi.json"),
    ("POST", "/api/v1/predict"),
    ("POST", "/healthz"),
    ("HEAD", "/"),
    ("OPTIONS", "/api/v1/predict"),
]


@pytest.fixture
def guarded(show: Callable[..., Shown], tmp_path: Path) -> Shown:
    """Give one that listens on all addresses; the token is known."""
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    shown = show(address="0.0.0.0:0", token_file=str(path))
    shown.show()
    return shown


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_nothing_but_health_answers_without_the_token(guarded: Shown, method: str, path: str) -> None:
    # A second address of this machine's: what is not bound to loopback asks everybody.
    for host in ("127.0.0.2", "127.0.0.1"):
        status, headers, body = ask(method, f"http://{host}:{guarded.port}{path}")
        assert status == 401
        assert headers["WWW-Authenticate"] == 'Bearer realm="fer-edge"'
        assert "Set-Cookie" not in headers
        assert b"happy" not in body
    assert get(f"http://127.0.0.2:{guarded.port}/healthz")[0] == 200


def test_every_path_there_is_was_tried(guarded: Shown) -> None:
    site = guarded.page.server._app.router
    there = {route.resource.canonical for route in site.routes() if route.resource is not None}
    tried = {path for _, path in PATHS} | {"/page/{name}", "/healthz"}
    assert {path.replace("/api/v1/", "/api/") for path in there} <= {
        path.replace("/api/v1/", "/api/") for path in tried
    }


def test_a_second_loopback_address_needs_a_token(
    show: Callable[..., Shown], capsys: pytest.CaptureFixture[str]
) -> None:
    shown = show(address="127.0.0.2:0")
    assert get(f"http://127.0.0.2:{shown.port}/api/state")[0] == 401
    line = capsys.readouterr().err.strip()
    assert line.startswith(f"the page is at http://127.0.0.2:{shown.port}/?token=")
    token = line.partition("?token=")[2]
    good = {"Authorization": f"Bearer {token}"}
    assert get(f"http://127.0.0.2:{shown.port}/api/state", headers=good)[0] == 200


@pytest.mark.parametrize("headers", [{"Authorization": f"Bearer {TOKEN}"}, {"Cookie": f"fer_edge_token={TOKEN}"}])
def test_the_token_opens_all_of_it(guarded: Shown, headers: dict[str, str]) -> None:
    base = f"http://127.0.0.2:{guarded.port}"

    async def work(client: aiohttp.ClientSession) -> None:
        for path in ("/", "/page/index.html", "/api/v1/state", "/api/v1/openapi.json"):
            async with client.get(base + path) as answer:
                assert answer.status == 200
        async with client.get(base + "/api/v1/events") as answer:
            assert (await answer.content.readline()) == b"event: state\n"
        async with client.ws_connect(base + "/api/v1/stream") as viewer:
            assert (await viewer.receive()).type is aiohttp.WSMsgType.TEXT

    talk(work, headers=headers)


def test_the_address_gives_the_cookie_and_loses_the_token(guarded: Shown) -> None:
    status, headers, _ = get(f"http://127.0.0.2:{guarded.port}/?token={TOKEN}")
    assert (status, headers["Location"]) == (303, "/")
    name, *rest = (part.strip() for part in headers["Set-Cookie"].split(";"))
    assert name == f"fer_edge_token={TOKEN}"
    assert set(rest) == {"HttpOnly", "Path=/", "SameSite=Strict"}


def test_a_person_without_token_gets_a_field_for_it(guarded: Shown) -> None:
    status, headers, body = get(f"http://127.0.0.2:{guarded.port}/")
    assert (status, headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert b'name="token"' in body
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert "form-action 'self'" in headers["Content-Security-Policy"]


def test_who_guesses_is_slowed_down_and_nobody_else(guarded: Shown) -> None:
    async def work(client: aiohttp.ClientSession) -> list[int]:
        statuses = []
        for number in range(40):
            async with client.get(f"http://127.0.0.2:{guarded.port}/?token={TOKEN}{number}") as answer:
                statuses.append(answer.status)
                if answer.status == 429:
                    assert answer.headers["Retry-After"] == "5"
        return statuses

    statuses = talk(work)
    assert statuses[:20] == [401] * 20
    assert 429 in statuses[20:]
    # The right one is not looked at either, or guesses would go on beside it; other clients come from elsewhere.
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert get(f"http://127.0.0.2:{guarded.port}/api/state", headers=headers, client="127.0.0.3")[0] == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:9", 200),
        ("[::1]:80", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
    ],
)
def test_other_names_for_this_machine_are_refused_on_loopback(
    show: Callable[..., Shown], host: str, status: int
) -> None:
    shown = show()
    for path in ("/healthz", "/api/state"):
        got, _, body = get(shown.url + path, headers={"Host": host})
        assert got == status, body


@pytest.mark.parametrize(
    ("origin", "good"),
    [
        (None, True),
        ("same", True),
        ("http://evil.example", False),
        ("null", False),
        ("http://127.0.0.1:1", False),
        ("http://[", False),
    ],
)
def test_pages_of_others_neither_watch_nor_ask(
    show: Callable[..., Shown], portrait: bytes, origin: str | None, good: bool
) -> None:
    shown = show()
    shown.show()
    headers = {} if origin is None else {"Origin": shown.url if origin == "same" else origin}
    status, answered, _ = ask(
        "POST", f"{shown.url}/api/v1/predict", data=portrait, headers={"Content-Type": "image/jpeg", **headers}
    )
    assert status == (200 if good else 403)
    assert not [name for name in answered if name.startswith("Access-Control")]

    async def work(client: aiohttp.ClientSession) -> int:
        try:
            async with client.ws_connect(f"{shown.url}/api/v1/stream", headers=headers):
                return 101
        except aiohttp.WSServerHandshakeError as error:
            return error.status

    assert talk(work) == (101 if good else 403)


@pytest.mark.parametrize("path", ["/", "/page/index.html", "/page/none", "/api/state", "/nowhere", "/healthz"])
def test_what_every_answer_tells_the_browser(show: Callable[..., Shown], path: str) -> None:
    _, headers, _ = get(show().url + path)
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' blob:",
        "media-src": "'self' blob:",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Server"] == "fer-edge"
    assert headers["Cache-Control"] == ("no-cache" if path in ("/", "/page/index.html") else "no-store")


@pytest.mark.parametrize(
    "name", ["../application.py", "..%2fapplication.py", "%2e%2e/token.html", ".", "application.py", "a%00b"]
)
def test_no_name_leads_out_of_the_page(show: Callable[..., Shown], name: str) -> None:
    shown = show()
    with socket.create_connection(("127.0.0.1", shown.port)) as client:
        client.sendall(f"GET /page/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = client.makefile("rb").read()
    assert answer.split()[1] in (b"400", b"404"), answer
    assert b"import" not in answer


def test_errors_are_json(show: Callable[..., Shown]) -> None:
    shown = show()
    for method, path, status in (("GET", "/x", 404), ("PUT", "/api/state", 405), ("GET", "/api/predict", 405)):
        got, headers, body = ask(method, shown.url + path)
        assert got == status
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert list(told(body)) == ["error"]
