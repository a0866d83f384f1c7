from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.classifier import Classifier
from fer_edge.web import camera
from mutating import damaged
from pages import Served, Shown, ask, get, talk, told
from waiting import LONG_S

LEAVING = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def answer(browser: aiohttp.ClientWebSocketResponse, content: bytes) -> dict[str, Any]:
    await browser.send_bytes(content)
    message = await browser.receive(timeout=LONG_S)
    assert message.type is aiohttp.WSMsgType.TEXT, message
    return told(message.data.encode())


def moved(portrait: bytes, pixels: int) -> bytes:
    """Move the face to the right."""
    image = cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR)
    return bytes(cv2.imencode(".jpg", np.roll(image, pixels, axis=1))[1].tobytes())


def test_each_picture_is_answered_by_its_state(serve: Callable[..., Served], portrait: bytes) -> None:
    served = serve()

    async def work(client: aiohttp.ClientSession) -> list[dict[str, Any]]:
        async with client.ws_connect(f"{served.url}/api/v1/camera") as browser:
            return [await answer(browser, moved(portrait, 4 * number)) for number in range(6)]

    states = talk(work)
    assert [state["result"]["frame"] for state in states] == list(range(6))
    assert {(state["mode"], state["source"], state["camera"]) for state in states} == {("serve", "browser", "ok")}
    assert states[0]["picture"] == {"width": 400, "height": 300}
    faces = [state["result"]["faces"][0] for state in states]
    assert {(face["track"], face["expression"]) for face in faces} == {(1, "happy")}
    # It is followed: where the picture has moved to.
    assert faces[-1]["box"][0] - faces[0]["box"][0] == pytest.approx(20, abs=6)
    assert states[-1]["fps"] > 0


def test_tracks_belong_to_their_connection(serve: Callable[..., Served], portrait: bytes) -> None:
    served = serve()

    async def one(client: aiohttp.ClientSession) -> list[int]:
        async with client.ws_connect(f"{served.url}/api/camera") as browser:
            states = [await answer(browser, portrait) for _ in range(4)]
        return [state["result"]["faces"][0]["track"] for state in states]

    async def work(client: aiohttp.ClientSession) -> list[list[int]]:
        return await asyncio.gather(*(one(client) for _ in range(5)))

    assert talk(work) == [[1] * 4] * 5
    # Nor does anybody else learn of them.
    assert told(get(f"{served.url}/api/state")[2])["result"] is None


def test_what_is_no_picture_is_told_and_the_connection_stays(serve: Callable[..., Served], portrait: bytes) -> None:
    served = serve(upload_mb=0.1)

    async def work(client: aiohttp.ClientSession) -> list[dict[str, Any]]:
        async with client.ws_connect(f"{served.url}/api/v1/camera") as browser:
            await browser.send_str("hello")
            first = told((await browser.receive(timeout=LONG_S)).data.encode())
            return [first] + [
                await answer(browser, content) for content in (b"", bytes(100_001), b"\xff\xd8\xff", portrait)
            ]

    *wrong, good = talk(work)
    assert [state["error"] for state in wrong] == [
        "send pictures as binary messages, JPEG or PNG",
        "the picture is neither JPEG nor PNG",
        "the picture has 100,001 bytes, more than 100,000",
        "the picture is not an image that can be decoded, or is cut off",
    ]
    assert good["result"]["faces"][0]["expression"] == "happy"


def test_what_is_far_too_large_ends_the_connection(serve: Callable[..., Served]) -> None:
    served = serve(upload_mb=0.1)

    async def work(client: aiohttp.ClientSession) -> int | None:
        async with client.ws_connect(f"{served.url}/api/v1/camera") as browser:
            await browser.send_bytes(bytes(2_000_000))
            assert (await browser.receive(timeout=LONG_S)).type in LEAVING
            return browser.close_code

    assert talk(work) == 1009


def test_so_many_cameras_and_no_more(serve: Callable[..., Served], portrait: bytes) -> None:
    served = serve(cameras=2)

    async def work(client: aiohttp.ClientSession) -> None:
        url = f"{served.url}/api/v1/camera"
        async with client.ws_connect(url) as first, client.ws_connect(url) as second:
            for one in (first, second):
                assert "result" in await answer(one, portrait)
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(url)
            assert refused.value.status == 503
        while True:
            try:
                async with client.ws_connect(url) as third:
                    assert "result" in await answer(third, portrait)
                    return
            except aiohttp.WSServerHandshakeError:
                await asyncio.sleep(0.05)  # the server has not seen yet that they have left

    talk(work)


def test_who_sends_nothing_makes_room(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "_SILENCE_S", 0.1)
    served = serve()

    async def work(client: aiohttp.ClientSession) -> int | None:
        async with client.ws_connect(f"{served.url}/api/v1/camera") as browser:
            assert (await browser.receive(timeout=LONG_S)).type in LEAVING
            return browser.close_code

    assert talk(work) == 1001


def test_each_mode_has_its_own_socket(serve: Callable[..., Served], show: Callable[..., Shown]) -> None:
    assert get(f"{serve().url}/api/v1/stream")[0] == 404
    assert get(f"{show().url}/api/v1/camera")[0] == 404
    status, headers, _ = get(f"{serve().url}/api/v1/camera")
    assert (status, headers["Upgrade"]) == (426, "websocket")


def test_pictures_of_their_own_are_looked_at_beside(serve: Callable[..., Served], portrait: bytes) -> None:
    served = serve()
    status, _, body = ask("POST", f"{served.url}/api/predict", data=portrait, headers={"Content-Type": "image/jpeg"})
    assert (status, len(told(body)["results"][0]["faces"])) == (200, 1)
    assert get(f"{served.url}/healthz")[0] == 200


def test_states_come_also_where_there_is_no_loop(serve: Callable[..., Served]) -> None:
    served = serve()

    async def work(client: aiohttp.ClientSession) -> list[bytes]:
        async with client.get(f"{served.url}/api/events") as stream:
            return [await stream.content.readline() for _ in range(6)]

    lines = talk(work)
    assert lines[::3] == [b"event: state\n"] * 2
    assert told(lines[1].removeprefix(b"data: "))["result"] is None


@pytest.fixture(scope="module")
def server(classifier: Classifier) -> Any:
    with Served(classifier) as served:
        yield served


@pytest.fixture(scope="module")
def small(portrait: bytes) -> list[bytes]:
    image = cv2.imdecode(np.frombuffer(portrait, np.uint8), cv2.IMREAD_COLOR)[::4, ::4]
    return [cv2.imencode(ending, image)[1].tobytes() for ending in (".jpg", ".png")]


def test_damaged_pictures_are_answered_one_by_one(server: Served, small: list[bytes]) -> None:
    contents: list[bytes] = []

    @given(st.data())
    def draw(data: st.DataObject) -> None:
        contents.append(data.draw(damaged(small, (range(700), range(64)))))

    draw()

    async def work(client: aiohttp.ClientSession) -> None:
        async with client.ws_connect(f"{server.url}/api/v1/camera") as browser:
            for content in contents:
                state = await answer(browser, content)
                assert "error" in state or "result" in state

    talk(work)
    assert len(contents) >= 100
