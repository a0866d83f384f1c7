from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from fer_bench import baseline
from fer_bench.results import Result, Row
from fer_edge.errors import FerError

MakeRow = Callable[..., Row]
MakeResult = Callable[..., Result]


def samples(median: float, seed: int) -> list[list[float]]:
    found: list[list[float]] = (median * np.random.default_rng(seed).normal(1, 0.03, (64, 16))).tolist()
    return found


def test_what_is_the_same_is_not_worse(make_row: MakeRow, make_result: MakeResult) -> None:
    then = make_result(make_row("a", rounds=samples(1, 1), accuracy=0.7))
    now = make_result(make_row("a", rounds=samples(1.01, 2), accuracy=0.7), make_row("new", p50=50.0))
    assert baseline.differing(now, then) == []
    assert baseline.worse(now, then, 0.05) == []


def test_what_got_worse_is_named_with_its_interval(make_row: MakeRow, make_result: MakeResult) -> None:
    then = make_result(make_row("a", rounds=samples(1, 1), size=1000, accuracy=0.7, peak=1_000_000))
    now = make_result(make_row("a", rounds=samples(1.2, 2), size=1100, accuracy=0.65, peak=1_200_000))
    slower50, slower90, larger, more, less = baseline.worse(now, then, 0.05)
    assert slower50.startswith("a: p50 takes 1.")
    assert slower90.startswith("a: p90 takes 1.")
    assert larger == "a: 1,100 bytes, 1,000 before"
    assert more == "a: peak memory 1,200,000 bytes at least, 1,000,000 at most before"
    assert less.startswith("a: accuracy changed by -5.00 points (95 %: -")
    # Beyond another limit it is none of the first four; accuracy has its own.
    assert baseline.worse(now, then, 0.3) == [less]
    assert baseline.worse(then, now, 0.05) == []


def test_a_point_beyond_the_limit_is_not_enough(make_row: MakeRow, make_result: MakeResult) -> None:
    # Eight rounds that vary by a half show little, wherever their median lies.
    draw = np.random.default_rng(4)
    then = make_result(make_row("a", rounds=(draw.uniform(0.5, 1.5, (8, 1))).tolist()))
    now = make_result(make_row("a", rounds=(1.1 * draw.uniform(0.5, 1.5, (8, 1))).tolist()))
    assert baseline.worse(now, then, 0.05) == []


def test_accuracy_is_compared_on_the_same_faces_alone(make_row: MakeRow, make_result: MakeResult) -> None:
    then, now = (make_result(make_row("a", rounds=samples(1, 1), accuracy=share)) for share in (0.7, 0.5))
    assert then.data is not None
    other = msgspec.structs.replace(then, data=msgspec.structs.replace(then.data, sha256="e" * 64))
    assert len(baseline.worse(now, then, 0.05)) == 1
    assert baseline.worse(now, other, 0.05) == []


@pytest.mark.parametrize(
    ("name", "now", "then", "told"),
    [
        ("memory_us", 110.0, 100.0, None),
        ("memory_us", 120.0, 100.0, "reading memory took 100 us then, 120 us now"),
        ("arithmetic_us", 80.0, 100.0, "arithmetic took 100 us then, 80 us now"),
        ("arithmetic_us", 80.0, None, None),
    ],
)
def test_a_machine_that_was_faster_or_slower_itself(
    name: str, now: float, then: float | None, told: str | None, make_result: Callable[..., Result]
) -> None:
    def at(speed: float | None) -> Result:
        result = make_result()
        state = msgspec.structs.replace(result.conditions.before, **{name: speed})
        return msgspec.structs.replace(
            result, conditions=msgspec.structs.replace(result.conditions, before=state, after=state)
        )

    assert baseline.differing(at(now), at(then)) == ([] if told is None else [told])


def test_other_conditions_are_named(make_row: MakeRow, make_result: MakeResult) -> None:
    row = make_row("a")
    found = baseline.differing(
        make_result(row, processor="Cortex-A76"), make_result(row, problems=("it was throttled",))
    )
    assert found == ["processor 'Cortex-A72' then, 'Cortex-A76' now", "it was throttled (then)"]


def test_nothing_in_common_is_an_error(make_row: MakeRow, make_result: MakeResult) -> None:
    with pytest.raises(FerError, match="the baseline has a, measured are b: no variant in common"):
        baseline.worse(make_result(make_row("b")), make_result(make_row("a")), 0.05)


def test_a_result_comes_back_as_it_was_written(make_row: MakeRow, make_result: MakeResult, tmp_path: Path) -> None:
    result = make_result(make_row("a", accuracy=0.7), make_row("failed", p50=None))
    (tmp_path / "r.json").write_bytes(msgspec.json.encode(result))
    assert baseline.load(tmp_path / "r.json") == result


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\xff\xfe", "is no result of 'fer-bench --json'"),
        (b"[]", "is no result of 'fer-bench --json'"),
        (b'{"format_version": 1, "rows": []}', "is a result of format 1, this fer-bench reads 2"),
        (b'{"format_version": 2, "rows": []}', "is no result of 'fer-bench --json'"),
    ],
)
def test_what_is_no_baseline_is_told(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(FerError, match=r"r\.json") as raised:
        baseline.load(tmp_path / "r.json")
    assert reason in str(raised.value)
