"""The shortest runs of some graphs, of which each does what the one before does, and more."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

# Steps of a measurement.
STEPS = 100
# How often each graph is loaded on average, if the time allows.
_PASSES = 4
# Timed runs in a row.
_RUNS = 3
# Share of the visits after the first pass that go to any graph, be it in doubt or not.
_ANYWHERE = 0.25

Run = Callable[[], None]
Times = npt.NDArray[np.float64]


def bounded(times: Times) -> Times:
    """Hold each graph's time to that of all that do more."""
    held: Times = np.minimum.accumulate(times[::-1])[::-1]
    return held


def measure(
    load: Callable[[int], Run],
    count: int,
    *,
    together: int,
    seconds: float,
    random: np.random.Generator,
    step: Callable[[int], object],
) -> Times:
    """Load graphs, a few neighbours at a time, and let these take turns; then others, until the time is over.

    Args:
        load: Gives from a graph's number what runs it once.
        count: Number of graphs.
        together: How many may be loaded at the same time.
        seconds: To take, loading included; but each graph is visited once at least.
        random: Of the order.
        step: Called with the steps that were done since its last call; there are `STEPS`.

    Returns:
        The shortest run of each, milliseconds.
    """
    shortest, size = np.full(count, np.inf), min(together, count)
    end = time.monotonic() + seconds
    groups = [range(start, min(start + size, count)) for start in range(0, count, size)]
    groups = [groups[number] for number in random.permutation(len(groups)).tolist()]
    visits = _PASSES * len(groups)
    for done in range(visits):
        now = time.monotonic()
        if done >= len(groups) and now >= end:
            step(STEPS - STEPS * done // visits)
            break
        members = groups[done] if done < len(groups) else _doubtful(shortest, size, random)
        _visit(load, members, now + (end - now) / (visits - done), random, shortest)
        step(STEPS * (done + 1) // visits - STEPS * done // visits)
    return shortest


def _doubtful(times: Times, size: int, random: np.random.Generator) -> range:
    """Draw neighbours to run again, rather where one is slower than what does more."""
    excess = times - bounded(times)
    chances = np.full(len(times), 1 / len(times))
    if excess.any():
        chances = _ANYWHERE * chances + (1 - _ANYWHERE) * excess / excess.sum()
    start = int(random.choice(len(times), p=chances)) - size // 2
    start = min(max(start, 0), len(times) - size)
    return range(start, start + size)


def _visit(
    load: Callable[[int], Run],
    members: Sequence[int],
    stop: float,
    random: np.random.Generator,
    shortest: Times,
) -> None:
    """Load some graphs, and let them take turns in random order until it is time to stop, once at least."""
    loaded = {member: load(member) for member in members}
    while True:
        for member in random.permutation(members).tolist():
            shortest[member] = min(shortest[member], _time(loaded[member]))
        if time.monotonic() >= stop:
            return


def _time(run: Run) -> float:
    """Give the shortest of a few runs, milliseconds."""
    # One outside the count brings the weights back into the cache.
    run()
    shortest = float("inf")
    for _ in range(_RUNS):
        began = time.perf_counter_ns()
        run()
        shortest = min(shortest, (time.perf_counter_ns() - began) / 1e6)
    return shortest
