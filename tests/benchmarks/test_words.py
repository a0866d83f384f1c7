from __future__ import annotations

import pytest

from fer_bench.results import Estimate
from fer_bench.words import interval, listed, megabytes, number, percent, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.00081444, "0.000814"),
        (0.81444, "0.814"),
        (0.9996, "1.000"),
        (1.0, "1.00"),
        (12.34, "12.3"),
        (123.4, "123"),
        (1227.6, "1,228"),
        (1_234_567.0, "1,234,567"),
        (-0.0123, "-0.0123"),
    ],
)
def test_a_value_has_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert significant(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.001, "0.001"), (0.25, "0.25"), (1.0, "1"), (1.5, "1.5"), (20.0, "20"), (1000.0, "1,000")],
)
def test_a_tick_has_the_digits_that_it_needs(value: float, text: str) -> None:
    assert number(value) == text


def test_the_ends_of_an_interval_are_as_fine_as_its_value() -> None:
    assert interval(Estimate(value=0.8144, low=0.80, high=1.2)) == "0.800 to 1.200"
    assert interval(Estimate(value=1119.2, low=1065.4, high=1169.0)) == "1,065 to 1,169"


def test_words_of_shares_sizes_and_lists() -> None:
    assert (percent(0.6623), percent(0.0098, 2)) == ("66.2 %", "0.98 %")
    assert megabytes(2_643_754) == "2.64 MB"
    assert [listed(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
