"""The conditions that a measurement runs under, and whether its figures can be trusted.

Example:
    >>> watch = Watch()
    >>> figures = [step() for step in steps]
    >>> found = watch.finish(threads=2)
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np

from fer_bench import speed
from fer_bench.results import Conditions, State
from fer_bench.speed import Pace
from fer_edge.board import CAUSES, Board, ProcessorTime
from fer_edge.runtimes import RUNTIMES

# What other processes may use, in processors for each processor that this process may use. Whatever they use, they
# also take from the caches and the memory that all processors share.
OTHERS_LIMIT = 0.1
# What a system with nothing to do uses for itself, in processors; no thread has to wait for it long enough to show.
HOUSEKEEPING = 0.05
# What a virtual machine's host may take, in processors for each processor: above, it reaches the 99th percentile.
STOLEN_LIMIT = 0.01
# The kernel counts processor time in hundredths of a second, so a shorter measurement cannot tell its load.
SHORTEST_S = 1.0
# How much the frequency may fall with a governor that never lowers it; then it is heat or power that does.
FALL_LIMIT = 0.1
# Share of turns that may meet a slower machine; medians over rounds hardly feel fewer.
UNEVEN_LIMIT = 0.2

_ADVICE = {
    "under-voltage": "use a stronger power supply or a better cable",
    "frequency capped": "use a stronger power supply, or cool the board",
    "throttled": "cool the board",
    "soft temperature limit": "cool the board",
}


@dataclass(frozen=True)
class Load:
    """What was taken from a measurement while it ran.

    Attributes:
        others: By other processes and the kernel, in processors (1.0 is one kept busy).
        stolen: By a virtual machine's host, in processors.
    """

    others: float
    stolen: float


def own_time() -> float:
    """Give the processor time of this process and of its children that ended and were waited for, seconds."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def state(board: Board) -> State:
    """Give the state of a board now."""
    return State(
        temperature=board.temperature(),
        throttled=board.throttled(),
        megahertz=board.megahertz(),
        governor=board.governor(),
        arithmetic_us=speed.arithmetic_us(),
        memory_us=speed.memory_us(),
    )


class Watch:
    """Watches the conditions from its creation to `finish`.

    The processor time of children that this process starts and waits for is its own. A child that began before the
    watch would count with all its time, and one that still runs at the end with none of it: have neither.
    """

    def __init__(
        self,
        board: Board | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        own: Callable[[], float] = own_time,
    ) -> None:
        """Begin.

        Args:
            board: Whose state and processor time is read; this machine by default.
            clock: Gives seconds.
            own: Gives the processor time of what is measured, seconds.
        """
        self._board, self._clock, self._own = board or Board(), clock, own
        self._before = state(self._board)
        self._began = self._moment()

    def finish(self, threads: int, pace: Pace | None = None) -> Conditions:
        """End.

        Args:
            threads: The largest number of threads that anything measured had.
            pace: How fast the machine was by turns, where that is known.

        Returns:
            The conditions with their problems. Where `others` is not known, a problem says so.
        """
        (began, used, then), (ended, using, now) = self._began, self._moment()
        after, seconds = state(self._board), ended - began
        processors = len(os.sched_getaffinity(0))
        unknown, load = None, None
        if then is None or now is None:
            unknown = "the system does not tell its processor time (/proc/stat), so the load of others is not known"
        elif seconds < SHORTEST_S:
            unknown = f"it was measured for {seconds:.2f} s, too short to tell the load of other processes"
        else:
            busy = now.busy - then.busy - (using - used)
            # The kernel may sample the one and measure the other, so a quiet machine can come out below 0.
            load = Load(others=max(0.0, busy) / seconds, stolen=(now.stolen - then.stolen) / seconds)
        problems = judge(
            self._before, after, load, processors=processors, threads=threads, limit=self._board.temperature_limit()
        )
        return Conditions(
            board=self._board.model() or "",
            processor=processor(self._board),
            processors=processors,
            pinned=processors < (self._board.online() or os.cpu_count() or processors),
            system=platform.platform(),
            versions=versions(),
            before=self._before,
            after=after,
            others=None if load is None else load.others,
            problems=(*([] if unknown is None else [unknown]), *problems, *uneven(pace)),
            slowness=pace.slowness if pace else (),
            waited_s=pace.waited_s if pace else 0.0,
        )

    def _moment(self) -> tuple[float, float, ProcessorTime | None]:
        return self._clock(), self._own(), self._board.processor_time()


def judge(
    before: State, after: State, load: Load | None, *, processors: int, threads: int, limit: float | None
) -> tuple[str, ...]:
    """Tell why figures are not to be trusted.

    A governor is no such reason. "ondemand" and "schedutil" reach the highest frequency within some tenths of a second
    of steady work, which is what the steady state is; a loop that waits for its camera, and whatever runs under
    "powersave", is measured as fast as it will run on the board as it is set up. The state names the governor, so that
    results under different ones are not compared unawares.

    Args:
        before: The board when the measuring began.
        after: And when it ended.
        load: What was taken from it meanwhile; None where that is not known.
        processors: How many this process may use.
        threads: The largest number that anything measured had.
        limit: Temperature from which the processor is slowed down, degrees Celsius; None where that is not known.

    Returns:
        A line for each problem; empty where there is none.
    """
    return (
        *([] if load is None else _crowded(load, processors, threads)),
        *_throttled(before.throttled, after.throttled),
        *_hot(before.temperature, after.temperature, limit),
        *_slowed(before, after),
    )


def uneven(pace: Pace | None) -> list[str]:
    """Tell that too many turns met a slower machine than the others did."""
    slow = [one for one in pace.slowness if one > speed.LIMIT] if pace else []
    if pace is None or len(slow) <= UNEVEN_LIMIT * len(pace.slowness):
        return []
    return [
        f"in {len(slow)} of {len(pace.slowness)} turns fixed work took {median(slow):.2f} times as long as at best: "
        "something that this system cannot see shares its processor or memory; measure at another time"
    ]


def _crowded(load: Load, processors: int, threads: int) -> list[str]:
    problems = []
    all_of_them = f"{processors} processor{'s' if processors > 1 else ''}"
    if threads > processors:
        problems.append(f"{threads} threads had to share {all_of_them}: measure fewer threads")
    if load.others > OTHERS_LIMIT * processors:
        problems.append(f"other processes used {load.others:.2f} of {all_of_them}: stop them")
    elif threads <= processors < threads + load.others - HOUSEKEEPING:
        free = processors - load.others
        problems.append(f"other processes left {free:.2f} of {all_of_them} to {threads} threads: stop them")
    if load.stolen > STOLEN_LIMIT * processors:
        problems.append(f"the virtual machine's host took {load.stolen:.2f} of {all_of_them}: measure elsewhere")
    return problems


def _throttled(before: tuple[str, ...] | None, after: tuple[str, ...] | None) -> list[str]:
    """Judge what the firmware tells; what it last told of before the measuring is no matter."""
    current = {*(before or ()), *(after or ())}
    new = set(after or ()) - set(before) if before is not None else set()
    return [
        f"the firmware ran the processor slower ({cause}): {_ADVICE[cause]}"
        for cause in CAUSES
        if f"{cause} now" in current or f"{cause} since boot" in new
    ]


def _hot(before: float | None, after: float | None, limit: float | None) -> list[str]:
    highest = max((value for value in (before, after) if value is not None), default=None)
    if highest is None or limit is None or highest < limit:
        return []
    return [f"the processor had {highest:.0f} C and is slowed down from {limit:.0f} C on: cool the board"]


def _slowed(before: State, after: State) -> list[str]:
    """Judge the fastest processor: those that idle may report a low frequency at any time."""
    if {before.governor, after.governor} != {"performance"} or not before.megahertz or not after.megahertz:
        return []
    first, last = max(before.megahertz), max(after.megahertz)
    if last >= (1 - FALL_LIMIT) * first:
        return []
    return [f"the frequency fell from {first:.0f} to {last:.0f} MHz: cool the board or check its power supply"]


def processor(board: Board) -> str:
    """Name a processor with its architecture, such as "Cortex-A76, aarch64"."""
    machine = platform.machine()
    # Raspberry Pi OS runs 32-bit programs on a 64-bit kernel by default, at another speed.
    machine += " with 32-bit programs" if "64" in machine and sys.maxsize < 2**32 else ""
    return ", ".join(filter(None, (board.processor(), machine)))


def versions() -> dict[str, str]:
    """Give the versions that figures depend on, of Python, our package and what computes; those that are installed."""
    found = {"python": platform.python_version(), "numpy": np.__version__, "opencv": cv2.__version__}
    packages = {"fer-edge": "fer-edge"} | {runtime.name: runtime.distribution for runtime in RUNTIMES}
    for name, distribution in packages.items():
        try:
            found[name] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
