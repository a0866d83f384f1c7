from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from fer_bench import conditions
from fer_bench.conditions import Load, Watch, judge
from fer_bench.results import Conditions, State
from fer_edge.board import Board
from fer_edge.runtimes import RUNTIMES

CALM = State(temperature=50.0, throttled=(), megahertz=(1500.0,) * 4, governor="ondemand")
SILENT = State(temperature=None, throttled=None, megahertz=None, governor=None)
UNTIMED = {"arithmetic_us": None, "memory_us": None}
IDLE = Load(others=0.02, stolen=0.0)
change: Any = msgspec.structs.replace


def judged(
    before: State = CALM,
    after: State = CALM,
    load: Load | None = IDLE,
    processors: int = 4,
    threads: int = 4,
    limit: float | None = 80.0,
) -> tuple[str, ...]:
    return judge(before, after, load, processors=processors, threads=threads, limit=limit)


@pytest.mark.parametrize(("before", "after"), [(CALM, CALM), (SILENT, SILENT), (SILENT, CALM), (CALM, SILENT)])
@pytest.mark.parametrize("load", [IDLE, None])
@pytest.mark.parametrize("limit", [80.0, None])
def test_a_calm_board_has_no_problems(before: State, after: State, load: Load | None, limit: float | None) -> None:
    assert judged(before, after, load, limit=limit) == ()


@pytest.mark.parametrize(
    ("others", "processors", "threads", "problem"),
    [
        (0.0, 1, 1, None),
        (0.04, 1, 1, None),
        (0.06, 1, 1, "other processes left 0.94 of 1 processor to 1 threads: stop them"),
        (0.11, 1, 1, "other processes used 0.11 of 1 processor: stop them"),
        # A tenth of each processor is no matter as long as the threads have one each.
        (0.39, 4, 3, None),
        (0.41, 4, 1, "other processes used 0.41 of 4 processors: stop them"),
        (0.39, 4, 4, "other processes left 3.61 of 4 processors to 4 threads: stop them"),
        (0.06, 4, 4, "other processes left 3.94 of 4 processors to 4 threads: stop them"),
        (3.9, 4, 2, "other processes used 3.90 of 4 processors: stop them"),
        (0.0, 2, 3, "3 threads had to share 2 processors: measure fewer threads"),
        (0.0, 1, 2, "2 threads had to share 1 processor: measure fewer threads"),
    ],
)
def test_a_crowded_machine(others: float, processors: int, threads: int, problem: str | None) -> None:
    found = judged(load=Load(others=others, stolen=0.0), processors=processors, threads=threads)
    assert found == (() if problem is None else (problem,))


@pytest.mark.parametrize(
    ("stolen", "problem"),
    [
        (0.039, None),
        (0.041, "the virtual machine's host took 0.04 of 4 processors: measure elsewhere"),
        (1.5, "the virtual machine's host took 1.50 of 4 processors: measure elsewhere"),
    ],
)
def test_stolen_time(stolen: float, problem: str | None) -> None:
    found = judged(load=Load(others=0.0, stolen=stolen))
    assert found == (() if problem is None else (problem,))


POWER = "the firmware ran the processor slower (under-voltage): use a stronger power supply or a better cable"
HEAT = "the firmware ran the processor slower (throttled): cool the board"
SOFT = "the firmware ran the processor slower (soft temperature limit): cool the board"
CAP = "the firmware ran the processor slower (frequency capped): use a stronger power supply, or cool the board"


@pytest.mark.parametrize(
    ("before", "after", "problems"),
    [
        ((), ("under-voltage now", "under-voltage since boot"), (POWER,)),
        (("under-voltage now", "under-voltage since boot"), ("under-voltage since boot",), (POWER,)),
        # It came and went in between.
        ((), ("throttled since boot",), (HEAT,)),
        (("under-voltage since boot",), ("under-voltage since boot", "throttled since boot"), (HEAT,)),
        # It was before.
        (
            ("under-voltage since boot", "throttled since boot"),
            ("under-voltage since boot", "throttled since boot"),
            (),
        ),
        ((), ("soft temperature limit now",), (SOFT,)),
        (
            (),
            ("frequency capped now", "throttled now", "soft temperature limit now", "under-voltage since boot"),
            (POWER, CAP, HEAT, SOFT),
        ),
        # Whether it is new is not known, or no longer.
        (None, ("throttled since boot",), ()),
        (None, ("throttled now",), (HEAT,)),
        (("throttled now",), None, (HEAT,)),
        (("throttled since boot",), None, ()),
    ],
)
def test_what_the_firmware_reports(
    before: tuple[str, ...] | None, after: tuple[str, ...] | None, problems: tuple[str, ...]
) -> None:
    assert judged(change(CALM, throttled=before), change(CALM, throttled=after)) == problems


@pytest.mark.parametrize(
    ("before", "after", "limit", "problem"),
    [
        (50.0, 79.9, 80.0, None),
        (50.0, 80.0, 80.0, "the processor had 80 C and is slowed down from 80 C on: cool the board"),
        (84.6, 70.0, 80.0, "the processor had 85 C and is slowed down from 80 C on: cool the board"),
        (None, 96.0, 95.0, "the processor had 96 C and is slowed down from 95 C on: cool the board"),
        (99.0, 99.0, None, None),
    ],
)
def test_a_hot_board(before: float | None, after: float | None, limit: float | None, problem: str | None) -> None:
    found = judged(change(CALM, temperature=before), change(CALM, temperature=after), limit=limit)
    assert found == (() if problem is None else (problem,))


FELL = "the frequency fell from 2400 to 2100 MHz: cool the board or check its power supply"


@pytest.mark.parametrize(
    ("before", "after", "governors", "problem"),
    [
        ((2400.0, 2400.0), (2100.0, 2100.0), ("performance", "performance"), FELL),
        ((2400.0, 2400.0), (2161.0, 2161.0), ("performance", "performance"), None),
        # Of those that idle none says anything.
        ((800.0, 2400.0), (2400.0, 800.0), ("performance", "performance"), None),
        ((800.0, 2400.0), (2100.0, 800.0), ("performance", "performance"), FELL),
        ((2400.0, 2400.0), (600.0, 600.0), ("ondemand", "ondemand"), None),
        ((2400.0, 2400.0), (600.0, 600.0), ("performance", "powersave"), None),
        ((2400.0, 2400.0), (600.0, 600.0), (None, None), None),
        (None, (600.0, 600.0), ("performance", "performance"), None),
        ((2400.0, 2400.0), None, ("performance", "performance"), None),
    ],
)
def test_a_frequency_that_falls(
    before: tuple[float, ...] | None,
    after: tuple[float, ...] | None,
    governors: tuple[str | None, str | None],
    problem: str | None,
) -> None:
    first, last = governors
    found = judged(
        change(CALM, megahertz=before, governor=first), change(CALM, megahertz=after, governor=last), limit=None
    )
    assert found == (() if problem is None else (problem,))


@pytest.mark.parametrize("governor", ["ondemand", "schedutil", "powersave", "mixed", None])
def test_a_governor_is_no_problem(governor: str | None) -> None:
    calm = change(CALM, governor=governor)
    assert judged(calm, calm) == ()


def test_all_problems_together() -> None:
    hot = State(temperature=86.0, throttled=("under-voltage now",), megahertz=(600.0,) * 4, governor="performance")
    found = judged(change(CALM, governor="performance"), hot, Load(others=2.0, stolen=1.0))
    assert [problem.split(":")[0].split(" (")[0] for problem in found] == [
        "other processes used 2.00 of 4 processors",
        "the virtual machine's host took 1.00 of 4 processors",
        "the firmware ran the processor slower",
        "the processor had 86 C and is slowed down from 80 C on",
        "the frequency fell from 1500 to 600 MHz",
    ]


class Pi:
    """A Raspberry Pi in a folder, whose time passes as told."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.seconds, self.own = 1000.0, 7.0
        self.answer = "throttled=0x0\n"
        self.second = os.sysconf("SC_CLK_TCK")
        self.write("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.1\0")
        self.write("proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n")
        self.write("sys/devices/system/cpu/online", "0-63\n")
        self.write("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")
        self.warm(50.0)
        self.work(0.0)

    def write(self, name: str, content: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)

    def warm(self, celsius: float) -> None:
        self.write("sys/class/thermal/thermal_zone0/temp", f"{celsius * 1000:.0f}\n")

    def work(self, busy: float, stolen: float = 0.0) -> None:
        # A part of it nice, a part of it in interrupts, and much idle time, which does not count.
        user, nice, irq = (round(share * busy * self.second) for share in (0.5, 0.25, 0.25))
        self.write("proc/stat", f"cpu  {1000 + user} {nice} 50 123456 789 {irq} 0 {stolen * self.second:.0f} 7 7\n")

    def watch(self) -> Watch:
        return Watch(Board(self.root, lambda command: self.answer), clock=lambda: self.seconds, own=lambda: self.own)


@pytest.fixture
def pi(tmp_path: Path) -> Pi:
    return Pi(tmp_path)


def test_the_load_of_others_is_what_was_not_ours(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)))
    watch = pi.watch()
    pi.seconds, pi.own = 1010.0, 17.0
    pi.work(busy=12.0, stolen=0.5)
    pi.warm(81.0)
    pi.answer = "throttled=0x80008\n"
    found = watch.finish(threads=3)
    for when in (found.before, found.after):
        assert when.arithmetic_us is not None
        assert when.memory_us is not None
        assert 10 < when.arithmetic_us < 1e5
        assert 100 < when.memory_us < 1e6
    bare = {name: change(getattr(found, name), **UNTIMED) for name in ("before", "after")}
    assert msgspec.json.decode(msgspec.json.encode(found), type=Conditions) == found
    assert change(found, **bare) == Conditions(
        board="Raspberry Pi 4 Model B Rev 1.1",
        processor=f"Cortex-A72, {platform.machine()}",
        processors=4,
        pinned=True,
        system=platform.platform(),
        versions=conditions.versions(),
        before=State(temperature=50.0, throttled=(), megahertz=None, governor=None),
        after=State(
            temperature=81.0,
            throttled=("soft temperature limit now", "soft temperature limit since boot"),
            megahertz=None,
            governor=None,
        ),
        others=pytest.approx(0.2),  # type: ignore[arg-type]
        problems=(
            "the virtual machine's host took 0.05 of 4 processors: measure elsewhere",
            SOFT,
            "the processor had 81 C and is slowed down from 80 C on: cool the board",
        ),
    )


def test_a_load_that_comes_out_below_nothing(pi: Pi) -> None:
    watch = pi.watch()
    pi.seconds, pi.own = 1010.0, 17.1
    pi.work(busy=10.0)
    found = watch.finish(threads=1)
    assert (found.others, found.problems) == (0.0, ())


@pytest.mark.parametrize(("seconds", "known"), [(0.99, False), (1.0, True)])
def test_the_load_of_a_short_measurement_is_not_known(pi: Pi, seconds: float, known: bool) -> None:
    watch = pi.watch()
    pi.seconds += seconds
    pi.work(busy=100.0, stolen=50.0)
    found = watch.finish(threads=1)
    if known:
        assert found.others == pytest.approx(100.0)
        assert len(found.problems) == 2
    else:
        assert found.others is None
        assert found.problems == ("it was measured for 0.99 s, too short to tell the load of other processes",)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("content", ["", "garbage", "cpu  1 2 3\n"])
def test_the_load_is_not_known_without_proc_stat(pi: Pi, when: str, content: str) -> None:
    if when == "before":
        pi.write("proc/stat", content)
    watch = pi.watch()
    pi.seconds += 10
    pi.work(busy=100.0)
    if when == "after":
        pi.write("proc/stat", content)
    found = watch.finish(threads=1)
    assert found.others is None
    assert found.problems == (
        "the system does not tell its processor time (/proc/stat), so the load of others is not known",
    )


@pytest.mark.parametrize(("online", "pinned"), [("0-3", False), ("0-4", True), ("0,2-4", False)])
def test_pinned(pi: Pi, monkeypatch: pytest.MonkeyPatch, online: str, pinned: bool) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3})
    pi.write("sys/devices/system/cpu/online", online)
    assert pi.watch().finish(threads=1).pinned is pinned


def test_a_board_that_tells_nothing(tmp_path: Path) -> None:
    found = Watch(Board(tmp_path, lambda command: None)).finish(threads=1)
    assert (found.board, found.processor) == ("", platform.machine())
    assert [change(state, **UNTIMED) for state in (found.before, found.after)] == [SILENT, SILENT]
    # Without the board's word the system's number of processors counts.
    assert found.pinned == (len(os.sched_getaffinity(0)) < (os.cpu_count() or 1))


def test_programs_of_another_width_are_named(pi: Pi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    board = pi.watch()._board
    assert conditions.processor(board) == "Cortex-A72, aarch64"
    monkeypatch.setattr(sys, "maxsize", 2**31 - 1)
    assert conditions.processor(board) == "Cortex-A72, aarch64 with 32-bit programs"


def test_the_versions_are_those_installed() -> None:
    found = conditions.versions()
    expected = {"python": platform.python_version(), "numpy": np.__version__, "opencv": cv2.__version__}
    installed = {distribution.name: distribution.version for distribution in importlib.metadata.distributions()}
    packages = {"fer-edge": "fer-edge"} | {runtime.name: runtime.distribution for runtime in RUNTIMES}
    expected |= {name: installed[package] for name, package in packages.items() if package in installed}
    assert found == expected
    assert set(found) & {runtime.name for runtime in RUNTIMES}


# What follows watches this machine, whatever else it does.

BUSY_S = 1.2
BUSY = f"""
import os, sys, time
while time.process_time() < {BUSY_S}:
    pass
"""
# The parent ends at once, so that the child belongs to nobody who waits for it; its end closes the pipe.
STRANGER = f"import os\nif os.fork():\n    os._exit(0)\n{BUSY}"


def run(code: str) -> None:
    subprocess.run([sys.executable, "-S", "-c", code], check=True, stdout=subprocess.PIPE)


def watched(work: Callable[[], None]) -> tuple[Conditions, float]:
    """Give the conditions of the work and its processor time, seconds, that was not ours."""
    began = time.monotonic()
    watch = Watch()
    work()
    found = watch.finish(threads=1)
    return found, found.others * (time.monotonic() - began)


def test_a_process_of_somebody_else_counts() -> None:
    found, others = watched(lambda: run(STRANGER))
    assert others > 0.9 * BUSY_S
    assert found.problems
    assert "other processes used" in found.problems[0] or "threads had to share" in found.problems[0]


def test_our_own_children_do_not_count() -> None:
    board = Board()
    text = (board.root / "proc/stat").read_text

    def free() -> float:
        """Give the time in which the processors did nothing for anybody here, by the kernel's other counts."""
        idle, waiting, _irq, _softirq, stolen = map(int, text().split()[4:9])
        return (idle + waiting + stolen) / os.sysconf("SC_CLK_TCK")

    processors = board.online() or 1
    began, unused, own = time.monotonic(), free(), conditions.own_time()
    _, others = watched(lambda: run(BUSY))
    seconds, unused, own = time.monotonic() - began, free() - unused, conditions.own_time() - own
    assert own > BUSY_S
    assert others == pytest.approx(seconds * processors - unused - own, abs=0.4 * BUSY_S)
