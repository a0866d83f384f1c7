"""What an output loses: counted, and told when it begins and when it has ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

# A loss has ended when nothing was lost for so long, seconds: else an output that is always a little too slow would be
# told of all the time.
_QUIET_S = 5.0


class LostError(Exception):
    """A result that could not be written; its text says why. The next may be written again."""


class Losses:
    """Counts what one output loses.

    Attributes:
        output: Name of the output.
        count: Results or events lost so far.
        reason: Why the last of them was.
    """

    def __init__(
        self,
        output: str,
        tell: Callable[[str], None],
        quiet_s: float = _QUIET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Count from zero.

        Args:
            output: Name of the output.
            tell: Takes a line for people.
            quiet_s: When nothing was lost for so long, the loss has ended, seconds.
            clock: Gives seconds of a clock that does not jump.
        """
        self.output = output
        self.count = 0
        self.reason = ""
        self._tell = tell
        self._quiet_s = quiet_s
        self._clock = clock
        # The queue, its thread and the threads of a broker all count.
        self._lock = threading.Lock()
        self._untold = 0
        self._last_s = 0.0

    def add(self, reason: str, number: int = 1) -> None:
        """Count what was lost; tell of it where that is news."""
        with self._lock:
            begins = not self._untold
            self.count += number
            self._untold += number
            self.reason = reason
            self._last_s = self._clock()
        if begins:
            self._tell(f"the output {self.output} loses results: {reason}")

    def written(self) -> None:
        """Take note that something was written; tell of the end of a loss."""
        if not self._untold:
            return
        with self._lock:
            if self._clock() - self._last_s < self._quiet_s:
                return
            number, self._untold = self._untold, 0
        self._tell(f"the output {self.output} works again, {number} results were lost: {self.reason}")

    def close(self) -> None:
        """Tell of a loss that has not ended."""
        with self._lock:
            number, self._untold = self._untold, 0
        if number:
            self._tell(f"the output {self.output} lost {number} results: {self.reason}")
