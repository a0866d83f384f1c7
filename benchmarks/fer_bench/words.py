"""Figures as words: so many digits as they are good for."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

from fer_bench.results import Estimate

_DIGITS = 3


def decimals(value: float) -> int:
    """Give how many decimal places show three significant digits of a value; none for large ones."""
    return 0 if value == 0 else max(0, _DIGITS - 1 - floor(log10(abs(value))))


def number(value: float) -> str:
    """Write the shortest of a round number such as a tick's: no exponent, no zeros at the end."""
    text = f"{value:,.{decimals(value) + 2}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def significant(value: float) -> str:
    """Write a value with three significant digits, such as 0.814, 12.3 or 1,228."""
    return f"{value:,.{decimals(value)}f}"


def interval(found: Estimate) -> str:
    """Write the ends of an interval as finely as its value."""
    places = decimals(found.value)
    return f"{found.low:,.{places}f} to {found.high:,.{places}f}"


def percent(share: float, places: int = 1) -> str:
    """Write a share of 0..1."""
    return f"{100 * share:.{places}f} %"


def megabytes(size: float) -> str:
    """Write bytes in millions, such as "2.64 MB"."""
    return f"{significant(size / 1e6)} MB"


def listed(words: Sequence[str]) -> str:
    """Join words: "a, b and c"."""
    return " and ".join([*([", ".join(words[:-1])] if len(words) > 1 else []), words[-1]])
