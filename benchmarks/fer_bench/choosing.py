"""Which variant to take: the Pareto front, and the best within a budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fer_bench.results import Row
from fer_edge.errors import UsageError

_UNITS = {"ms": 1.0, "us": 1e-3, "s": 1e3, "B": 1.0, "KB": 1e3, "MB": 1e6, "KiB": 1024.0, "MiB": 1024.0**2, "%": 0.01}
_TIMES, _SIZES, _SHARES = frozenset({"ms", "us", "s"}), frozenset({"B", "KB", "MB", "KiB", "MiB"}), frozenset({"%"})
_LIMIT = re.compile(r"\s*(?P<what>\w+)\s*(?P<sign><=|>=)\s*(?P<number>\d+(\.\d+)?)\s*(?P<unit>[A-Za-z%]*)\s*")


def _memory(row: Row) -> float | None:
    return None if row.start is None else float(max(row.start.peak_bytes))


# What a limit may be on: how to read it, the units that it has, and the sign that makes it a limit.
_FIGURES: dict[str, tuple[Callable[[Row], float | None], frozenset[str], str]] = {
    "p50": (lambda row: row.latency.p50.value if row.latency else None, _TIMES, "<="),
    "p90": (lambda row: row.latency.p90.value if row.latency else None, _TIMES, "<="),
    "p99": (lambda row: row.latency.p99.value if row.latency else None, _TIMES, "<="),
    "size": (lambda row: float(row.cost.bytes) if row.cost else None, _SIZES, "<="),
    "gzip": (lambda row: float(row.cost.gzip_bytes) if row.cost else None, _SIZES, "<="),
    "memory": (_memory, _SIZES, "<="),
    "accuracy": (lambda row: row.judgement.accuracy.value if row.judgement else None, _SHARES, ">="),
    "f1": (lambda row: row.judgement.macro_f1 if row.judgement else None, _SHARES, ">="),
}


@dataclass(frozen=True)
class Limit:
    """One limit of a budget.

    Attributes:
        text: As given.
        what: Name of the figure.
        bound: In milliseconds, bytes or as a share 0..1.
    """

    text: str
    what: str
    bound: float

    def holds(self, row: Row) -> bool:
        """Tell whether a row keeps it; one without the figure does not."""
        read, _, sign = _FIGURES[self.what]
        value = read(row)
        return value is not None and (value <= self.bound if sign == "<=" else value >= self.bound)


def parse_budget(text: str) -> tuple[Limit, ...]:
    """Read limits such as "p90<=15ms,size<=3MB,accuracy>=65%".

    Raises:
        UsageError: It is none.
    """
    return tuple(_limit(part) for part in text.split(","))


def _limit(part: str) -> Limit:
    found = _LIMIT.fullmatch(part)
    known = ", ".join(f"{name}{sign}" for name, (_, _, sign) in _FIGURES.items())
    if found is None or found["what"] not in _FIGURES:
        raise UsageError(f"{part.strip()!r} is no limit such as p90<=15ms or size<=3MB; there are {known}")
    _, units, sign = _FIGURES[found["what"]]
    if found["sign"] != sign:
        raise UsageError(f"{part.strip()!r} limits {found['what']} from the wrong side: {found['what']}{sign}...")
    if found["unit"] not in units:
        raise UsageError(f"{part.strip()!r} has no unit of {', '.join(sorted(units))}")
    # Rounded, since 69 * 0.01 is more than 0.69.
    return Limit(part.strip(), found["what"], round(float(found["number"]) * _UNITS[found["unit"]], 9))


def best(rows: Sequence[Row], limits: Sequence[Limit]) -> tuple[Row | None, str]:
    """Name the best variant within a budget: the most accurate, where that is known, and of those the fastest.

    Returns:
        The row, or None where no variant fits; and a sentence that says which or which limit is the obstacle.
    """
    measured = [row for row in rows if row.latency is not None]
    fitting = [row for row in measured if all(limit.holds(row) for limit in limits)]
    if fitting:
        chosen = min(fitting, key=_merit)
        return chosen, f"within the budget: {chosen.title} (of {len(fitting)} that fit)"
    if not measured:
        return None, "no variant was measured, so none fits the budget"
    for limit in limits:
        if not any(limit.holds(row) for row in measured):
            return None, f"no variant fits the budget: none keeps {limit.text}{_nearest(limit, measured)}"
    pairs = "; ".join(
        f"{row.title} breaks {', '.join(limit.text for limit in limits if not limit.holds(row))}" for row in measured
    )
    return None, f"no variant keeps all limits of the budget at once: {pairs}"


def _nearest(limit: Limit, rows: Sequence[Row]) -> str:
    read, units, sign = _FIGURES[limit.what]
    values = [(value, row.title) for row in rows if (value := read(row)) is not None]
    if not values:
        return f" ({limit.what} was not measured{'; give --data' if units is _SHARES else ''})"
    value, title = min(values) if sign == "<=" else max(values)
    if units is _TIMES:
        shown = f"{value:.3g} ms"
    else:
        shown = f"{value / 1e6:.3g} MB" if units is _SIZES else f"{100 * value:.1f} %"
    return f"; nearest is {title} with {shown}"


def _merit(row: Row) -> tuple[float, float]:
    assert row.latency is not None
    return (-row.judgement.accuracy.value if row.judgement else 0.0, row.latency.p50.value)


def front(rows: Sequence[Row]) -> tuple[str, ...]:
    """Give the titles of the Pareto front of accuracy, median latency and bytes, in the order given.

    A row is on it if no other is at least as good in all three and better in one. Rows that lack one are left out.
    """
    points = {
        row.title: (-row.judgement.accuracy.value, row.latency.p50.value, row.cost.bytes)
        for row in rows
        if row.judgement and row.latency and row.cost
    }
    return tuple(
        title
        for title, mine in points.items()
        if not any(
            other != mine and all(theirs <= ours for theirs, ours in zip(other, mine, strict=True))
            for other in points.values()
        )
    )
