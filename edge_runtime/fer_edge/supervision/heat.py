"""A hot board gets less to do, step by step, and more again when it has cooled down."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from fer_edge.settings.heat import HeatSettings
from fer_edge.types import BoardState


class Cooling:
    """Says how many frames a second a board may have.

    Example:
        >>> cooling = Cooling(HeatSettings(above_c=75, rates=(10, 5)), tell=print)
        >>> cooling.rate(81.0)
        the processor is at 81 C: 10 frames/s at most
        10
    """

    def __init__(
        self, settings: HeatSettings, tell: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Start without a limit.

        Args:
            settings: From when on, and how much less.
            tell: Takes a line for each step.
            clock: Gives seconds of a clock that does not jump.
        """
        self.settings = settings
        self._tell, self._clock = tell, clock
        self._step = 0
        self._stepped_s = float("-inf")

    def rate(self, temperature: float | None) -> float | None:
        """Give the frames a second at most, None for no limit.

        Args:
            temperature: Of the processor, degrees Celsius; None where the board does not tell.
        """
        settings = self.settings
        steps = len(settings.rates) if settings.above_c else 0
        if temperature is None or not steps:
            wanted = 0
        elif temperature > settings.above_c:
            wanted = min(self._step + 1, steps)
        elif temperature < settings.below_c:
            wanted = max(self._step - 1, 0)
        else:
            wanted = min(self._step, steps)
        now = self._clock()
        if wanted != self._step and now - self._stepped_s >= settings.step_s:
            self._step, self._stepped_s = wanted, now
            limit = f"{settings.rates[wanted - 1]:g} frames/s at most" if wanted else "all frames again"
            self._tell(
                f"the processor is at {temperature:.0f} C: {limit}" if temperature is not None else f"heat: {limit}"
            )
        return settings.rates[min(self._step, steps) - 1] if self._step and steps else None


def at(state: BoardState | None, rate: float | None) -> BoardState | None:
    """Give what the results tell of the board."""
    return None if state is None else msgspec.structs.replace(state, rate=rate)
