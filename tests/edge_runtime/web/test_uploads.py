from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections.abc import Callable

import aiohttp
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_edge.errors import SourceError
from fer_edge.web import pictures, uploads
from mutating import damaged
from pages import Shown, ask, get, talk, told
from waiting import LONG_S

JPEG = {"Content-Type": "image/jpeg"}
MANY = 100_000
FUZZING = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
KINDS = (
    "multipart/form-data; boundary=b",
    "multipart/form-data",
    'multipart/form-data; boundary="',
    f"multipart/form-data; boundary={80 * 'x'}",
    "multipart/mixed; boundary=b",
    "image/jpeg",
    "image/png; a=b",
    '"',
    "",
)
PIECES = (
    b"--b",
    b"--b--",
    b"\r\n",
    b"\r\n\r\n",
    b"Content-Disposition: form-data; name=image",
    b'Content-Disposition: form-data; name="image',
    b"Content-Type: multipart/mixed; boundary=b",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: x",
    b"Content-Encoding: gzip",
    b"Content-Length: 5",
    b"Content-Length: -5",
    b'Content-Disposition: form-data; name="\x1d\xa8"',
    b"\xff\xd8\xff",
    b":",
    b"\0",
)
LOCAL = b"Host: localhost\r\n"
BEGINNINGS = (
    b"",
    b"GET / HTTP/1.1\r\n",
    b"POST /api/predict HTTP/1.1\r\n" + LOCAL,
    b"GET /api/v1/stream HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" + LOCAL,
)


def png_of(width: int, height: int) -> bytes:
    """Claim a size in some bytes."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def jpeg_of(width: int, height: int, portrait: bytes) -> bytes:
    """Claim another size in the header of a real picture."""
    at = portrait.index(b"\xff\xc0")
    return portrait[: at + 5] + struct.pack(">HH", height, width) + portrait[at + 9 :]


def test_what_is_seen_in_a_picture(show: Callable[..., Shown], portrait: bytes) -> None:
    shown = show()
    status, headers, body = ask("POST", f"{shown.url}/api/v1/predict", data=portrait, headers=JPEG)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    (result,) = told(body)["results"]
    assert set(result) == {"frame", "time", "source", "age_ms", "dropped", "faces", "ms"}
    assert [face["expression"] for face in result["faces"]] == ["happy"]


def test_several_faces_each_have_a_number(show: Callable[..., Shown], people: bytes) -> None:
    shown = show()
    form = aiohttp.FormData()
    form.add_field("comment", "what is this?")
    form.add_field("image", people, filename="a.jpg", content_type="image/jpeg")
    status, _, body = ask("POST", f"{shown.url}/api/predict", data=form)
    assert status == 200
    faces = told(body)["results"][0]["faces"]
    assert [face["track"] for face in faces] == list(range(1, len(faces) + 1))
    assert len(faces) >= 3


def test_png_is_taken_too(show: Callable[..., Shown], portrait: bytes) -> None:
    image = cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR)
    content = cv2.imencode(".png", image)[1].tobytes()
    status, _, body = ask("POST", f"{show().url}/api/predict", data=content, headers={"Content-Type": "image/png"})
    assert status == 200
    assert len(told(body)["results"][0]["faces"]) == 1


@pytest.mark.parametrize(
    ("data", "headers", "status", "message"),
    [
        (b"", JPEG, 400, "the picture is empty"),
        (b"hello", JPEG, 400, "the picture is neither JPEG nor PNG"),
        (b"GIF89a", JPEG, 400, "the picture is neither JPEG nor PNG"),
        (b"\xff\xd8\xff\xe0", JPEG, 400, "the picture is not an image that can be decoded, or is cut off"),
        (b"hello", {"Content-Type": "text/plain"}, 415, "send image/jpeg or image/png, or a form with the field image"),
        (b"hello", {**JPEG, "Content-Encoding": "gzip"}, 415, "the picture is compressed once more: send it as it is"),
        (b"x", {"Content-Type": "multipart/form-data"}, 400, "the form cannot be read: "),
        (b"x", {"Content-Type": "multipart/form-data; boundary=b"}, 400, "the form "),
        (b"--b\r\n\r\nx\r\n--b--", {"Content-Type": "multipart/form-data; boundary=b"}, 400, "the form has no field"),
        (bytes(2001), JPEG, 413, "the picture has 2,001 bytes, more than 2,000"),
        (png_of(60_000, 60_000), JPEG, 413, "the picture has 60000 x 60000 pixels, more than 16,777,216"),
    ],
)  # fmt: skip
def test_what_is_no_picture(
    show: Callable[..., Shown], data: bytes, headers: dict[str, str], status: int, message: str
) -> None:
    got, _, body = ask("POST", f"{show(upload_mb=0.002).url}/api/predict", data=data, headers=headers)
    assert (got, list(told(body))) == (status, ["error"])
    assert told(body)["error"].startswith(message)


def test_the_length_must_be_told(show: Callable[..., Shown]) -> None:
    async def parts() -> object:
        yield b"abc"

    assert ask("POST", f"{show().url}/api/predict", data=parts(), headers=JPEG)[0] == 411


def test_a_size_in_a_header_is_believed_before_anything_is_decoded(portrait: bytes) -> None:
    for content in (jpeg_of(65_000, 65_000, portrait), png_of(1 << 31, 1 << 31)):
        with pytest.raises(pictures.TooLargeError, match=r"more than 16,777,216 in all: make it smaller$"):
            pictures.gray(content)


def test_pictures_that_are_much_work_are_refused(portrait: bytes) -> None:
    at = portrait.index(b"\xff\xda")
    with pytest.raises(SourceError, match=r"^the picture has more than 64 scans: save it anew$"):
        pictures.gray(portrait[:at] + 100 * b"\xff\xda\x00\x02" + portrait[at:])
    with pytest.raises(SourceError, match=r"^the picture has more than 10,000 segments: save it anew$"):
        pictures.gray(portrait[:2] + MANY * b"\xff\xe1\x00\x02" + portrait[2:])
    image = cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR)
    progressive = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert progressive.count(b"\xff\xda") > 5
    assert pictures.gray(progressive).shape == image.shape[:2]


def test_a_body_that_does_not_come_is_not_waited_for(
    show: Callable[..., Shown], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_BODY_S", 0.2)
    shown = show()
    with socket.create_connection(("127.0.0.1", shown.port), timeout=LONG_S) as client:
        client.sendall(
            b"POST /api/predict HTTP/1.1\r\n" + LOCAL + b"Content-Type: image/jpeg\r\nContent-Length: 99\r\n\r\nabc"
        )
        answer = client.recv(10_000)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Connection: close" in answer


def test_one_client_may_ask_so_often(show: Callable[..., Shown]) -> None:
    shown = show(predictions_per_minute=5)

    async def work(client: aiohttp.ClientSession) -> list[int]:
        statuses = []
        for _ in range(8):
            async with client.post(f"{shown.url}/api/predict", data=b"x", headers=JPEG) as answer:
                statuses.append(answer.status)
        return statuses

    statuses = talk(work)
    assert statuses[:5] == [400] * 5
    assert 429 in statuses[5:]
    assert ask("POST", f"{shown.url}/api/predict", "127.0.0.9", data=b"x", headers=JPEG)[0] == 400


def test_one_picture_at_a_time_beside_the_loop(show: Callable[..., Shown], portrait: bytes) -> None:
    shown = show()

    async def one(client: aiohttp.ClientSession) -> int:
        async with client.post(f"{shown.url}/api/predict", data=portrait, headers=JPEG) as answer:
            assert answer.status == 200 or answer.headers["Retry-After"] == "1"
            return answer.status

    async def work(client: aiohttp.ClientSession) -> list[int]:
        return await asyncio.gather(*(one(client) for _ in range(8)))

    statuses = talk(work)
    assert set(statuses) == {200, 503}


@pytest.fixture(scope="module")
def server(classifier: object, model_path: object) -> object:
    with Shown(classifier, model_path, predictions_per_minute=100_000) as shown:  # type: ignore[arg-type]
        yield shown


@pytest.fixture(scope="module")
def small(portrait: bytes) -> list[bytes]:
    """Give a little picture as JPEG, as progressive JPEG and as PNG."""
    image = cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR)[::4, ::4]
    kinds = ((".jpg", []), (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]), (".png", []))
    return [cv2.imencode(ending, image, options)[1].tobytes() for ending, options in kinds]


@FUZZING
@given(data=st.data(), form=st.booleans())
def test_damaged_pictures_are_answered(server: Shown, small: list[bytes], data: st.DataObject, form: bool) -> None:
    body: object = data.draw(damaged(small, (range(700), range(64))))
    if form:
        fields = aiohttp.FormData()
        fields.add_field("image", body, filename="a")
        body = fields
    status, _, answer = ask("POST", f"{server.url}/api/predict", data=body, headers={} if form else JPEG)
    assert status in (200, 400, 413), answer


@FUZZING
@given(kind=st.sampled_from(KINDS), pieces=st.lists(st.sampled_from(PIECES), max_size=14))
def test_damaged_forms_are_answered(server: Shown, kind: str, pieces: list[bytes]) -> None:
    headers = {"Content-Type": kind} if kind else {}
    status, _, body = ask("POST", f"{server.url}/api/predict", data=b"".join(pieces), headers=headers)
    assert status in (400, 411, 413, 415), (status, body)


@FUZZING
@given(content=st.binary(max_size=200), begin=st.sampled_from(BEGINNINGS))
def test_what_is_no_http_is_survived(server: Shown, content: bytes, begin: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=LONG_S) as client:
        client.sendall(begin + content + b"\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := client.recv(1 << 16):
                answer += part
        except ConnectionError:
            pass
    assert not answer.startswith(b"HTTP/1.1 5"), answer
    assert get(f"{server.url}/healthz")[0] == 200


def test_headers_are_bounded(server: Shown) -> None:
    for head in (b"X: " + 20_000 * b"x", 5000 * b"X: y\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=LONG_S) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\n\r\n")
            assert client.recv(1000).split()[1] in (b"400", b"431")
