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
# In the first-level cache, and beyond what a core has for itself.
_SMALL, _LARGE = 16 * 1024, 16 * 1024 * 1024


def arithmetic_us() -> float:
    """Give the median time of adding up 16 kB a hundred times, microseconds."""
    small = np.ones(_SMALL // 4, np.float32)
    return _median_us(lambda: [small.sum() for _ in range(100)])


def memory_us() -> float:
    """Give the median time of adding up 16 MB, microseconds."""
    large = np.ones(_LARGE // 4, np.float32)
    return _median_us(large.sum)


def _median_us(work: Callable[[], object]) -> float:
    # A core that slept needs some milliseconds to come to its frequency.
    for _ in range(_REPEATS):
        work()
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - began)
    return median(times) / 1e3
