"""When to try again what has failed."""

from __future__ import annotations

import time
from collections.abc import Callable

from fer_edge.sinks._losses import LostError

# Between two attempts, seconds: twice as long each time.
_FIRST_S, _LAST_S = 1.0, 10.0


class Retrying:
    """Makes attempts rare while they fail: after 1 s, 2 s, 4 s, 8 s, then every 10 s."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with an attempt that is due.

        Args:
            clock: Gives seconds of a clock that does not jump.
        """
        self._clock = clock
        self._wait_s, self._due_s = 0.0, 0.0
        self._reason = ""

    def check(self) -> None:
        """Raise `LostError`, with the reason of the last failure, where the next attempt is not due."""
        if self._wait_s and self._clock() < self._due_s:
            raise LostError(self._reason)

    def failed(self, reason: str) -> LostError:
        """Take note of a failure; give the error to raise."""
        self._wait_s = min(2 * self._wait_s, _LAST_S) or _FIRST_S
        self._due_s = self._clock() + self._wait_s
        self._reason = reason
        return LostError(reason)

    def worked(self) -> None:
        """Take note that an attempt has not failed."""
        self._wait_s = 0.0
