"""The newest frame and its result, handed from the loop to whoever looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, NamedTuple, Self

from fer_edge.types import Frame, Result


class Seen(NamedTuple):
    """A frame and what was said of it."""

    result: Result
    frame: Frame


class Newest:
    """A sink that keeps references to the last frame and result, and wakes whoever asked for the next.

    What it does in the loop takes less than a microsecond: nothing is copied, encoded or locked there.

    Attributes:
        seen: The newest; None before the first.
        frames: Number of all so far.
        there: Whether the camera is.
    """

    pictures: ClassVar[bool] = True
    queued: ClassVar[bool] = False
    interval_s: ClassVar[float] = 0.0

    def __init__(self) -> None:
        """Know nothing yet."""
        self.seen: Seen | None = None
        self.frames = 0
        self.there = True
        self._wake: Callable[[], object] | None = None

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wake nobody any more, and let go of the picture."""
        self._wake = self.seen = None

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Take the next."""
        assert frame is not None
        self.seen = Seen(result, frame)
        self.frames += 1
        if self._wake is not None:
            wake, self._wake = self._wake, None
            wake()

    def camera(self, there: bool) -> None:
        """Take note whether the camera is there."""
        self.there = there

    def wake(self, wake: Callable[[], object]) -> None:
        """Have something called in the loop's thread, once, when the next frame is there.

        Args:
            wake: Must neither wait nor raise.
        """
        self._wake = wake
