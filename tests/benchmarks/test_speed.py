from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from fer_bench import speed
from fer_bench.conditions import uneven
from fer_bench.speed import Pace


def pace(times: Sequence[tuple[float, float]], patience_s: float = 100.0) -> tuple[Pace, list[float]]:
    """Make one that is told what the fixed work takes, and keeps how long it slept."""
    given, slept = itertools.chain(times, itertools.repeat(times[-1])), []
    return Pace(patience_s, work=lambda: next(given), sleep=slept.append), slept


def test_an_undisturbed_machine_is_not_waited_for() -> None:
    mine, slept = pace([(100.0, 600.0), (110.0, 610.0), (105.0, 690.0)])
    for _ in range(3):
        mine.settle()
    assert (slept, mine.waited_s) == ([], 0.0)
    assert mine.slowness == pytest.approx((1.0, 1.1, 1.15))
    assert uneven(mine) == []


def test_a_slower_one_is_waited_for() -> None:
    mine, slept = pace([(100.0, 600.0), (160.0, 600.0), (100.0, 800.0), (101.0, 600.0)])
    mine.settle()
    mine.settle()
    assert mine.waited_s == sum(slept) == 0.5
    assert mine.slowness == pytest.approx((1.0, 1.01))


def test_patience_ends_and_the_result_is_not_valid() -> None:
    mine, slept = pace([(100.0, 600.0), (150.0, 600.0)], patience_s=1.0)
    for _ in range(4):
        mine.settle()
    assert sum(slept) == 1.0
    assert mine.slowness == (1.0, 1.5, 1.5, 1.5)
    (problem,) = uneven(mine)
    assert problem.startswith("in 3 of 4 turns fixed work took 1.50 times as long as at best: ")


def test_what_was_fast_is_seen_later_too() -> None:
    mine, _ = pace([(150.0, 600.0), (100.0, 600.0)], patience_s=0.0)
    mine.settle()
    mine.settle()
    assert mine.slowness == (1.5, 1.0)


def test_a_few_slow_turns_are_no_matter() -> None:
    mine, _ = pace([(100.0, 600.0)] * 8 + [(200.0, 600.0)] * 2, patience_s=0.0)
    for _ in range(10):
        mine.settle()
    assert uneven(mine) == []
    assert uneven(None) == []


def test_the_fixed_work_is_timed() -> None:
    mine = Pace(0.0)
    mine.settle()
    assert mine.slowness == (1.0,)
    assert speed.arithmetic_us(3) > 0
    assert speed.memory_us(3) > 0
