"""A thread that works for the server, one piece of work after the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

_Found = TypeVar("_Found")


class BusyError(Exception):
    """So much work waits that no more is taken."""


class Worker:
    """Works in a daemon thread, for native code that hangs must not keep the program from ending."""

    def __init__(self, name: str, waiting: int) -> None:
        """Start nothing yet: that the first work does.

        Args:
            name: Of the thread.
            waiting: Pieces of work that are taken at most and not done yet, the one at hand included.
        """
        self._waiting = waiting
        self._taken = 0
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    async def do(self, work: Callable[..., _Found], *arguments: Any) -> _Found:
        """Let the thread do something, and give what it gave; always called in the same event loop.

        Who stops waiting does not stop the work.

        Raises:
            BusyError: Too much waits already.
            Exception: What the work raised.
        """
        if self._taken >= self._waiting:
            raise BusyError
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Found] = loop.create_future()
        self._taken += 1

        def done(give: Callable[[Any], None], found: Any) -> None:
            self._taken -= 1
            if not future.done():
                give(found)

        def run() -> None:
            try:
                give: Callable[[Any], None] = future.set_result
                found: Any = work(*arguments)
            except Exception as error:  # handed to who asked
                give, found = future.set_exception, error
            with suppress(RuntimeError):  # the event loop has ended meanwhile
                loop.call_soon_threadsafe(done, give, found)

        if self._thread.ident is None:
            self._thread.start()
        self._queue.put(run)
        return await future

    def end(self) -> None:
        """Take no more."""
        self._queue.put(None)

    def join(self, within_s: float) -> None:
        """Wait for the work at hand, for so many seconds at most."""
        if self._thread.ident is not None:
            self._thread.join(within_s)

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            work()
