"""How fast the machine itself is at the moment: fixed work, timed.

A virtual machine shares caches and memory with neighbours that it cannot see, and a processor changes its frequency
without telling. Then models slow down unequally, for a large one waits for memory more than a small one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

_REPEATS = 21
_FEW = 5
# Fixed work that takes so much longer than at best tells of a neighbour, or of another frequency.
LIMIT = 1.15
_PAUSE_S = 0.25
# In the first-level cache, and beyond what a core has for itself.
_SMALL, _LARGE = 16 * 1024, 16 * 1024 * 1024


def arithmetic_us(repeats: int = _REPEATS) -> float:
    """Give the median time of adding up 16 kB a hundred times, microseconds."""
    small = np.ones(_SMALL // 4, np.float32)
    return _median_us(lambda: [small.sum() for _ in range(100)], repeats)


def memory_us(repeats: int = _REPEATS) -> float:
    """Give the median time of adding up 16 MB, microseconds."""
    large = np.ones(_LARGE // 4, np.float32)
    return _median_us(large.sum, repeats)


class Pace:
    """Waits, for a limited time, until the machine is as fast as it was at best.

    So turns of a measurement meet the same machine, in one run as in another. No sample is left out for it.

    Attributes:
        slowness: Of each turn: how many times as long as at best the fixed work took when it began.
        waited_s: All together.
    """

    def __init__(
        self,
        patience_s: float,
        *,
        work: Callable[[], tuple[float, ...]] = lambda: (arithmetic_us(_FEW), memory_us(_FEW)),
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Know nothing of the machine.

        Args:
            patience_s: How long to wait, all turns together.
            work: Does the fixed work and gives what it took.
            sleep: Waits.
        """
        self._patience_s, self._work, self._sleep = patience_s, work, sleep
        self._best: tuple[float, ...] = ()
        self._times: list[tuple[float, ...]] = []
        self.waited_s = 0.0

    @property
    def slowness(self) -> tuple[float, ...]:
        """See above; at least 1."""
        return tuple(self._slowness(times) for times in self._times)

    def settle(self) -> None:
        """Wait before a turn."""
        times = self._look()
        while self._slowness(times) > LIMIT and self.waited_s < self._patience_s:
            self._sleep(_PAUSE_S)
            self.waited_s += _PAUSE_S
            times = self._look()
        self._times.append(times)

    def _look(self) -> tuple[float, ...]:
        times = self._work()
        self._best = tuple(map(min, zip(self._best or times, times, strict=True)))
        return times

    def _slowness(self, times: tuple[float, ...]) -> float:
        return max(one / best for one, best in zip(times, self._best, strict=True))


def _median_us(work: Callable[[], object], repeats: int) -> float:
    # A core that slept needs some milliseconds to come to its frequency.
    for _ in range(repeats):
        work()
    times = []
    for _ in range(repeats):
        began = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - began)
    return median(times) / 1e3
