"""Signals that end the run, in order if it can be, and in time even where the loop hangs in a driver."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Self

# From the signal to the moment when outputs are flushed for a loop that does not do it, and to the end of the process,
# seconds: together less than the five that are promised.
_FLUSH_S, _END_S = 2.5, 4.5
_STOPPING = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """Lets the first Ctrl-C or SIGTERM end the loop after its frame and the second end the program; a context manager.

    Python calls a handler when the main thread comes back from native code, which a hung camera never does. So the
    signals' numbers are read from a pipe as well, by a thread (see `signal.set_wakeup_fd`).
    """

    def __init__(
        self,
        *,
        stopping: Callable[[], object] = lambda: None,
        flush: Callable[[float], object] = lambda _: None,
        reload: threading.Event | None = None,
        end: Callable[[int], object] = os._exit,
        flush_s: float = _FLUSH_S,
        end_s: float = _END_S,
    ) -> None:
        """Say what is to happen; all of it is called in a thread.

        Args:
            stopping: Called at the first signal that stops.
            flush: Called where the loop has not ended after `flush_s`; gets the seconds that it may take.
            reload: Set at SIGHUP; None to leave that alone: a terminal that closes sends it too.
            end: Ends the process with an exit code where the loop has not ended after `end_s`.
            flush_s: Seconds.
            end_s: Seconds, more than `flush_s`.
        """
        self.stop = threading.Event()
        self._stopping, self._flush, self._end, self._reload = stopping, flush, end, reload
        self._flush_s, self._end_s = flush_s, end_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="signals", daemon=True)

    def __enter__(self) -> Self:
        """Take over the signals."""
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self._descriptor = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._ask) for number in _STOPPING}
        if self._reload is not None:
            self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._ask_again)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give them back."""
        self._ended.set()
        signal.set_wakeup_fd(self._descriptor)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._writer)  # which ends the thread
        self._thread.join()
        os.close(self._reader)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.stop.set()
        signal.signal(number, signal.SIG_DFL)

    def _ask_again(self, _number: int, _frame: FrameType | None) -> None:
        assert self._reload is not None
        self._reload.set()

    def _run(self) -> None:
        while numbers := os.read(self._reader, 1):
            if numbers[0] in _STOPPING:
                self._stop_in_time()
                return

    def _stop_in_time(self) -> None:
        self.stop.set()
        self._stopping()
        if self._ended.wait(self._flush_s):
            return
        flushing = threading.Thread(target=self._flush, args=(self._end_s - self._flush_s,), daemon=True)
        flushing.start()
        if not self._ended.wait(self._end_s - self._flush_s):
            self._end(os.EX_OK)
