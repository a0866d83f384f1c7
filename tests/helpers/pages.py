"""A page in this process: a real server on a real socket, with frames that the test hands over as the loop does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import msgspec
import numpy as np

from fer_edge.box import Box
from fer_edge.classifier import Classifier
from fer_edge.detectors import open_detector
from fer_edge.settings import Settings
from fer_edge.settings.preview import PreviewSettings
from fer_edge.sinks import Outputs
from fer_edge.supervision.choosing import Chosen
from fer_edge.types import BoardState, Face, Frame, Result, StageTimes
from fer_edge.web.address import Address
from fer_edge.web.application import Site
from fer_edge.web.inference import Inference, Stages
from fer_edge.web.opening import open_server
from fer_edge.web.previewing import Page
from fer_edge.web.shots import Shots
from fer_edge.web.state import About
from waiting import LONG_S

_Found = TypeVar("_Found")
HEIGHT, WIDTH = 120, 160


class Shown:
    """A preview, and the loop that it belongs to.

    The picture of frame N is plain, of the brightness N * 8 modulo 256, so that one can tell pictures apart.
    """

    def __init__(self, classifier: Classifier | None, model: Path | None, **preview: Any) -> None:
        self.settings = Settings(preview=PreviewSettings(**{"address": "127.0.0.1:0", **preview}))
        chosen = None if classifier is None else Chosen(classifier, None, model)
        self.page = Page(self.settings, "test", lambda: chosen)
        self.outputs = Outputs()
        self.frames = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def port(self) -> int:
        return self.page.server.port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.page.__enter__()
        self.page.join(self.outputs)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.page.__exit__()

    def show(self, image: Any = None) -> None:
        """Hand over one frame."""
        index = self.frames
        picture = np.full((HEIGHT, WIDTH), index * 8 % 256, np.uint8) if image is None else image
        now = datetime.now(UTC)
        frame = Frame(index, "test", picture, time.monotonic_ns(), now, 0.1, index / 30)
        face = Face(1, Box(10, 20, 30, 40), {"happy": 0.9, "sad": 0.1})
        board = BoardState(48.5, ("under-voltage since boot",))
        self.outputs.write(Result(index, now, "test", 1.0, 0, (face,), StageTimes(0.1, 0.2, 0.3, 0.6), board), frame)
        self.frames += 1

    def waiting_bytes(self) -> list[int]:
        """Tell how much the server holds for each client who does not take it."""
        transports = [connection.transport for connection in self.page.server._door._server.connections]
        return [one.get_write_buffer_size() for one in transports if one is not None]

    def run(self, image: Any = None) -> None:
        """Hand over frames from now on, a hundred a second."""
        self._image = image
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(0.01):
            self.show(self._image)


class Served:
    """`fer-edge serve` in this process, but for its signals."""

    def __init__(self, classifier: Classifier, **preview: Any) -> None:
        settings = Settings(preview=PreviewSettings(**preview))
        about = About("serve", "browser", lambda: classifier.metadata)
        stages = Stages(open_detector("haar"), classifier)
        inference = Inference(lambda: stages, settings.loop, sessions=settings.preview.cameras)
        site = Site(about, settings.preview, Shots(None, about, settings.preview), inference)
        self.server = open_server(site, Address.parse("127.0.0.1:0"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def __enter__(self) -> Self:
        self.server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()


def talk(
    work: Callable[[aiohttp.ClientSession], Coroutine[Any, Any, _Found]], client: str = "127.0.0.1", **session: Any
) -> _Found:
    """Do something as a client that comes from an address of this machine's."""

    async def run() -> _Found:
        timeout = aiohttp.ClientTimeout(total=LONG_S)
        connector = aiohttp.TCPConnector(local_addr=(client, 0), limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, **session) as client_session:
            return await work(client_session)

    return asyncio.run(run())


def get(url: str, **more: Any) -> tuple[int, dict[str, str], bytes]:
    """Ask once: status, headers, body."""
    return ask("GET", url, **more)


def ask(method: str, url: str, client: str = "127.0.0.1", **more: Any) -> tuple[int, dict[str, str], bytes]:
    async def work(session: aiohttp.ClientSession) -> tuple[int, dict[str, str], bytes]:
        async with session.request(method, url, allow_redirects=False, **more) as answer:
            return answer.status, dict(answer.headers), await answer.read()

    return talk(work, client)


def told(body: bytes) -> dict[str, Any]:
    return msgspec.json.decode(body, type=dict[str, Any])


async def pair(viewer: aiohttp.ClientWebSocketResponse) -> tuple[dict[str, Any], bytes]:
    """Take a state with its picture; states without one are passed over."""
    state: dict[str, Any] = {}
    while True:
        message = await viewer.receive(timeout=LONG_S)
        if message.type is aiohttp.WSMsgType.TEXT:
            state = told(message.data.encode())
        else:
            assert message.type is aiohttp.WSMsgType.BINARY, message
            return state, message.data


def bare_viewer(port: int, *, buffer: int | None = None) -> socket.socket:
    """Open the stream by hand: one who never reads what is sent."""
    viewer = socket.socket()
    if buffer is not None:
        viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    viewer.settimeout(LONG_S)
    viewer.connect(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    viewer.sendall(
        f"GET /api/v1/stream HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return viewer


def next_message() -> bytes:
    """Give the message `next` as a client sends it, masked by zeros."""
    return b"\x81\x84\0\0\0\0next"


def read_all(viewer: socket.socket) -> bytes:
    """Read what is there."""
    viewer.setblocking(False)
    content = b""
    with contextlib.suppress(BlockingIOError):
        while part := viewer.recv(1 << 20):
            content += part
    return content
