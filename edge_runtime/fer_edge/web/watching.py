"""Those who watch: pictures by WebSocket, states by server-sent events, at the pace of each."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from fer_edge.web.shots import Shots

# A viewer who neither takes what is sent nor asks for the next has left.
_SILENCE_S = 30.0
# Pings find out about those who have paused.
_HEARTBEAT_S = 20.0
# Between two states of one who has paused, and of one who wants states alone.
_PAUSED_S, _STATES_S = 1.0, 0.1
_LONGEST_MESSAGE = 64


class Viewer:
    """One WebSocket: a pair of state and picture, and nothing more until the other side asks for the next.

    So what waits for a viewer who is slow or gone is a picture or two.
    """

    def __init__(self, shots: Shots, silence_s: float = _SILENCE_S) -> None:
        """Wait for nobody yet.

        Args:
            shots: What is sent.
            silence_s: Seconds for which one may be silent.
        """
        self._shots, self._silence_s = shots, silence_s
        self._asked = asyncio.Event()
        self._paused = False

    async def answer(self, request: web.Request) -> web.WebSocketResponse:
        """Send until the viewer leaves."""
        socket = web.WebSocketResponse(
            heartbeat=_HEARTBEAT_S, max_msg_size=_LONGEST_MESSAGE, compress=False, timeout=1.0
        )
        await socket.prepare(request)
        sending = asyncio.create_task(self._send(socket, request))
        try:
            async for message in socket:
                if message.type is not web.WSMsgType.TEXT or message.data not in ("next", "pause"):
                    await socket.close(code=1008, message=b"next or pause")
                    break
                self._paused = message.data == "pause"
                self._asked.set()
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
        return socket

    async def _send(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        number = 0
        try:
            while True:
                shot = await self._shots.after(number, picture=not self._paused)
                number = shot.number
                self._asked.clear()
                async with asyncio.timeout(self._silence_s):
                    await socket.send_str(shot.text)
                    if shot.jpeg is not None and not self._paused:
                        await socket.send_bytes(shot.jpeg)
                        await self._asked.wait()
                if self._paused:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._asked.wait(), _PAUSED_S)
        except ConnectionError:
            return  # he has left, which the reading side sees too
        except TimeoutError:
            # Closing in order would wait for him as well.
            if request.transport is not None:
                request.transport.abort()


async def events(request: web.Request, shots: Shots) -> web.StreamResponse:
    """Send states until the reader leaves, the newest only."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
    await response.prepare(request)
    number = 0
    try:
        while True:
            shot = await shots.after(number, picture=False)
            number = shot.number
            async with asyncio.timeout(_SILENCE_S):
                await response.write(f"event: state\ndata: {shot.text}\n\n".encode())
            await asyncio.sleep(_STATES_S)
    except ConnectionError:
        return response  # he has left
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        return response
