"""Browsers' cameras: a picture in, the state of that picture out, one after the other by WebSocket."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from fer_edge.errors import FerError
from fer_edge.settings.preview import PreviewSettings
from fer_edge.types import BoardState
from fer_edge.web.guard import problem
from fer_edge.web.inference import Inference, Session
from fer_edge.web.state import About, Rate, encode, state
from fer_edge.web.worker import BusyError

_HEARTBEAT_S = 20.0
# Without a picture for so long, another browser may have the place.
_SILENCE_S = 300.0
# Above the largest picture: what is larger than that as well ends the connection before it is in memory.
_MARGIN = 1 << 20


class Cameras:
    """Answers them, so many at a time."""

    def __init__(
        self, about: About, inference: Inference, settings: PreviewSettings, board: Callable[[], BoardState | None]
    ) -> None:
        """Know no browser yet."""
        self._about, self._inference, self._board = about, inference, board
        self._largest, self._most = int(1e6 * settings.upload_mb), settings.cameras
        self._there = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Look at the pictures of one browser until it leaves."""
        if self._there >= self._most:
            return problem(503, f"{self._most} cameras are being looked at: try again later", **{"Retry-After": "5"})
        self._there += 1
        try:
            socket = web.WebSocketResponse(
                heartbeat=_HEARTBEAT_S, max_msg_size=self._largest + _MARGIN, compress=False, timeout=1.0
            )
            await socket.prepare(request)
            await self._look(socket)
            return socket
        finally:
            self._there -= 1

    async def _look(self, socket: web.WebSocketResponse) -> None:
        session, rate = Session(), Rate()
        while True:
            try:
                message = await socket.receive(timeout=_SILENCE_S)
            except TimeoutError:
                await socket.close(code=1001, message=b"no picture for long")
                return
            if message.type not in (web.WSMsgType.BINARY, web.WSMsgType.TEXT):
                return
            try:
                await socket.send_str(await self._told(message.data, session, rate))
            except ConnectionError:
                return  # it has left meanwhile

    async def _told(self, content: str | bytes, session: Session, rate: Rate) -> str:
        if isinstance(content, str):
            return _error("send pictures as binary messages, JPEG or PNG")
        if len(content) > self._largest:
            return _error(f"the picture has {len(content):,} bytes, more than {self._largest:,}")
        try:
            looked = await self._inference.next(content, session)
        except FerError as error:
            return _error(str(error))
        except BusyError:
            return _error("other pictures are being looked at: try again")
        rate.count(session.frames)
        told = state(self._about, looked.result, size=looked.size, fps=rate.fps, board=self._board())
        return encode(told).decode()


def _error(message: str) -> str:
    return encode({"error": " ".join(message.split())}).decode()
