"""Pictures for those who watch: made only while somebody waits, once for all, at a bounded rate and size."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import NamedTuple

import cv2

from fer_edge.preprocessing import Pixels
from fer_edge.settings.preview import PreviewSettings
from fer_edge.types import Frame
from fer_edge.web.newest import Newest, Seen
from fer_edge.web.state import About, Rate, encode, state
from fer_edge.web.worker import Worker

# Where no frame comes for so long, those who wait are told the state without a picture.
_PATIENCE_S = 1.0
_COUNT_S = 1.0


class Shot(NamedTuple):
    """What is sent to those who watch.

    Attributes:
        number: From 1.
        made_s: `time.monotonic()`.
        text: The state as JSON.
        jpeg: The picture of that very frame; None where nobody wanted one, or there is no new frame.
    """

    number: int
    made_s: float
    text: str
    jpeg: bytes | None


class Shots:
    """Makes them. All of it runs in the server's event loop but for the encoding."""

    def __init__(self, newest: Newest | None, about: About, settings: PreviewSettings) -> None:
        """Make none yet.

        Args:
            newest: Of the loop; None where there is none, so that there are states alone.
            about: The run.
            settings: Rate and size.
        """
        self._newest, self._about, self._settings = newest, about, settings
        self._rate = Rate()
        self._worker = Worker("preview", 1)
        self._last = Shot(0, 0.0, "", None)
        self._frames = 0
        self._waiting: dict[asyncio.Future[Shot], bool] = {}
        self._asked, self._fresh = asyncio.Event(), asyncio.Event()

    def state(self) -> bytes:
        """Give the state as JSON."""
        return self._told(None if self._newest is None else self._newest.seen)

    async def after(self, number: int, *, picture: bool) -> Shot:
        """Wait for one that is newer than the one of a number.

        Args:
            number: 0 for any.
            picture: Whether it shall have a picture; it has none even so where there is no new frame.
        """
        last, interval_s = self._last, 1 / self._settings.rate
        if last.number > number and time.monotonic() - last.made_s < interval_s and (last.jpeg or not picture):
            return last
        future: asyncio.Future[Shot] = asyncio.get_running_loop().create_future()
        self._waiting[future] = picture
        self._asked.set()
        try:
            return await future
        finally:
            self._waiting.pop(future, None)

    async def make(self) -> None:
        """Make one whenever somebody waits and it is due, without end."""
        loop = asyncio.get_running_loop()

        def wake() -> None:
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(self._fresh.set)

        due_s, interval_s = 0.0, 1 / self._settings.rate
        while True:
            await self._asked.wait()
            self._fresh.clear()
            if not self._is_fresh:
                if self._newest is not None:
                    self._newest.wake(wake)
                # The frame may have come just before.
                if not self._is_fresh:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._fresh.wait(), _PATIENCE_S)
            shot = self._last = await self._shoot()
            waiting, self._waiting = self._waiting, {}
            for future in waiting:
                if not future.done():
                    future.set_result(shot)
            self._asked.clear()
            # One that was late does not put off the next.
            due_s = max(due_s + interval_s, shot.made_s)
            await asyncio.sleep(due_s - time.monotonic())

    async def count(self) -> None:
        """Count the frames of the loop now and then, without end."""
        while True:
            if self._newest is not None:
                self._rate.count(self._newest.frames)
            await asyncio.sleep(_COUNT_S)

    def end(self) -> None:
        """Encode no more."""
        self._worker.end()

    def join(self, within_s: float) -> None:
        """Wait for the encoding at hand, for so many seconds at most."""
        self._worker.join(within_s)

    @property
    def _is_fresh(self) -> bool:
        return self._newest is not None and self._newest.frames != self._frames

    async def _shoot(self) -> Shot:
        newest, jpeg = self._newest, None
        frames, seen = (0, None) if newest is None else (newest.frames, newest.seen)
        text = self._told(seen).decode()
        if seen is not None and frames != self._frames:
            self._frames = frames
            if any(self._waiting.values()):
                settings = self._settings
                jpeg = await self._worker.do(to_jpeg, seen.frame.image, settings.width, settings.quality)
        return Shot(self._last.number + 1, time.monotonic(), text, jpeg)

    def _told(self, seen: Seen | None) -> bytes:
        there = self._newest is None or self._newest.there
        if seen is None:
            return encode(state(self._about, there=there))
        result, frame = seen
        told = state(self._about, result, size=_size(frame), fps=self._rate.fps, there=there, board=result.board)
        return encode(told)


def to_jpeg(image: Pixels, width: int, quality: int) -> bytes:
    """Encode a picture, made smaller where it is wider than `width` pixels."""
    rows, columns = image.shape[:2]
    if columns > width:
        image = cv2.resize(image, (width, max(1, round(rows * width / columns))), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    _, content = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return content.tobytes()


def _size(frame: Frame) -> tuple[int, int]:
    """Give width and height of what faces are found in."""
    rows, columns = (frame.image if frame.luma is None else frame.luma).shape[:2]
    return columns, rows
