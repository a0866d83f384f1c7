from __future__ import annotations

from collections.abc import Callable

import pytest

from fer_bench import choosing
from fer_bench.results import Row
from fer_edge.errors import UsageError

Make = Callable[..., Row]


@pytest.fixture
def rows(make_row: Make) -> list[Row]:
    return [
        make_row("fp32", p50=2.0, size=9_000_000, accuracy=0.69),
        make_row("fp16", p50=2.0, size=4_800_000, accuracy=0.69),
        make_row("int8", p50=0.8, size=2_600_000, accuracy=0.685),
        make_row("slow", p50=3.0, size=4_900_000, accuracy=0.60),
    ]


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("size<=5MB", "fp16"),
        ("size<=10MB", "fp32"),
        ("p50<=1ms", "int8"),
        ("p50<=900us,size<=2.6MB", "int8"),
        (" p90 <= 1.5 ms , accuracy >= 60 % ", "int8"),
        ("memory<=1MiB,p50<=1s", "fp32"),
    ],
)
def test_the_most_accurate_within_the_budget_is_named(text: str, chosen: str, rows: list[Row]) -> None:
    row, sentence = choosing.best(rows, choosing.parse_budget(text))
    assert row is not None
    assert row.title == chosen
    assert chosen in sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("p50<=0.1ms,size<=100MB", "none keeps p50<=0.1ms; nearest is int8 with 0.8 ms"),
        ("size<=1MB", "none keeps size<=1MB; nearest is int8 with 2.6 MB"),
        ("accuracy>=80%", "none keeps accuracy>=80%; nearest is fp32 with 69.0 %"),
        ("p50<=1ms,accuracy>=69%", "no variant keeps all limits of the budget at once: fp32 breaks p50<=1ms; "),
    ],
)
def test_the_obstacle_is_named(text: str, sentence: str, rows: list[Row]) -> None:
    row, said = choosing.best(rows, choosing.parse_budget(text))
    assert row is None
    assert sentence in said


def test_what_was_not_measured_keeps_no_limit(make_row: Make) -> None:
    row, said = choosing.best([make_row("bare", p50=1.0)], choosing.parse_budget("accuracy>=10%"))
    assert row is None
    assert "accuracy was not measured; give --data" in said
    assert choosing.best([make_row("failed", p50=None)], choosing.parse_budget("p50<=1s"))[0] is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'' is no limit such as p90<=15ms"),
        ("p90<15ms", "is no limit such as"),
        (
            "speed<=1ms",
            "'speed<=1ms' is no limit such as p90<=15ms or size<=3MB; there are p50<=, p90<=, p99<=, size<=",
        ),
        ("p90<=15", "'p90<=15' has no unit of ms, s, us"),
        ("p90<=15MB", "has no unit of ms, s, us"),
        ("accuracy<=60%", "'accuracy<=60%' limits accuracy from the wrong side: accuracy>=..."),
        ("p90<=15ms,,", "'' is no limit"),
    ],
)
def test_what_is_no_budget_is_told(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=r"limit|unit") as raised:
        choosing.parse_budget(text)
    assert reason in str(raised.value)


def test_the_front_holds_what_nothing_beats(rows: list[Row], make_row: Make) -> None:
    # fp16 is as fast and as right as fp32 and smaller; fp32 and slow are beaten.
    assert choosing.front(rows) == ("fp16", "int8")
    twins = [make_row("a", p50=1.0, size=5, accuracy=0.5), make_row("b", p50=1.0, size=5, accuracy=0.5)]
    assert choosing.front(twins) == ("a", "b")
    assert choosing.front([make_row("bare", p50=1.0)]) == ()
