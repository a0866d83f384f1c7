"""The tables of the HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from statistics import median_high
from typing import Literal, NamedTuple

from fer_bench.results import Estimate, Loops, Ratio, Row
from fer_bench.words import interval, megabytes, percent, significant
from fer_train.judging.page import Cell, Table

Cells = dict[str, Cell]
# What a column's name says in a second line.
_UNITS = {
    "p50": "ms",
    "p90": "ms",
    "p99": "ms",
    "ratio": "of times",
    "memory": "for the model",
    "CPU s": "per 1,000",
    "J": "per 1,000",
    "calibration": "error",
}
_TONES: Mapping[str, Literal["good", "bad"]] = {"faster": "good", "slower": "bad"}


class Named(NamedTuple):
    """A variant as the page calls it.

    Attributes:
        number: From 1, in drawings that have no room for the name.
        name: The number and the title.
        row: What was measured.
    """

    number: int
    name: str
    row: Row


def name(rows: Sequence[Row]) -> list[Named]:
    """Number the variants."""
    return [Named(number, f"{number}\N{NO-BREAK SPACE}{row.title}", row) for number, row in enumerate(rows, start=1)]


def main(rows: Sequence[Named]) -> Table:
    """Give the table of all variants; a column that no variant has something for is left out."""
    parts: list[Callable[[Row], Cells]] = [_size, _times, _costs, _judged]
    found = [[part(one.row) for part in parts] for one in rows]
    by_part = chain.from_iterable(zip(*found, strict=True))
    columns = list(dict.fromkeys(chain.from_iterable(by_part)))
    table = []
    for one, mine in zip(rows, found, strict=True):
        cells = dict(chain.from_iterable(of_part.items() for of_part in mine))
        table.append([Cell(one.name, _interpreter(one.row)), *(cells.get(column, Cell("-")) for column in columns)])
    return Table(("variant", *(Cell(column, (_UNITS.get(column, ""),)) for column in columns)), table)


def _interpreter(row: Row) -> tuple[str, ...]:
    return (f"{row.runtime}, {row.threads} thread{'' if row.threads == 1 else 's'}",) if row.runtime else ()


def _size(row: Row) -> Cells:
    if row.cost is None:
        return {}
    return {"bytes": Cell(f"{row.cost.bytes:,}", (f"gzip {row.cost.gzip_bytes:,}",))}


def _times(row: Row) -> Cells:
    found = row.latency
    if found is None:
        return {}
    return {
        "p50": _estimate(found.p50),
        "p90": _estimate(found.p90),
        "p99": _estimate(found.p99),
        "ratio": _ratio(found.ratio),
        "faces/s": _estimate(found.faces_per_second),
    }


def _costs(row: Row) -> Cells:
    cells: Cells = {}
    if row.start is not None and row.start.peak_bytes and row.start.empty_bytes:
        peak, empty = median_high(row.start.peak_bytes), median_high(row.start.empty_bytes)
        cells["memory"] = Cell(megabytes(peak - empty), (f"peak {megabytes(peak)}",))
    if row.cost is not None:
        cells["CPU s"] = Cell(significant(row.cost.cpu_seconds))
        if row.cost.joules is not None:
            cells["J"] = Cell(significant(row.cost.joules))
    return cells


def _judged(row: Row) -> Cells:
    cells: Cells = {}
    if row.judgement is not None:
        found = row.judgement
        ends = f"{100 * found.accuracy.low:.1f} to {100 * found.accuracy.high:.1f}"
        cells["accuracy"] = Cell(percent(found.accuracy.value), (ends,))
        cells["macro F1"] = Cell(percent(found.macro_f1))
        cells["calibration"] = Cell(percent(found.calibration_error))
    if row.agreement is not None:
        flips = row.agreement
        cells["flips"] = Cell(f"{flips.flips:,}", (percent(flips.flips / flips.total),))
    return cells


def loops(found: Loops) -> Table:
    """Give the loops."""
    names = list(dict.fromkeys(name for one in found.loops for name in one.stages))
    return Table(
        ("loop", "frames/s", *(f"{name} ms" for name in names), "of a search", "ratio", "frames", "faces", "dropped"),
        [
            [
                Cell(one.name, (one.what,)),
                significant(one.frames_per_second),
                *(
                    Cell(significant(stage.p50), (f"p90 {significant(stage.p90)}", f"p99 {significant(stage.p99)}"))
                    if (stage := one.stages.get(name))
                    else "-"
                    for name in names
                ),
                Cell(
                    significant(one.of_search.p50),
                    (f"mean {significant(one.of_search.mean)}", f"p99 {significant(one.of_search.p99)}"),
                ),
                _ratio(one.ratio),
                f"{one.frames:,}",
                f"{one.faces:,}",
                f"{one.dropped:,}",
            ]
            for one in found.loops
        ],
    )


def _estimate(found: Estimate) -> Cell:
    return Cell(significant(found.value), (interval(found),))


def _ratio(found: Ratio | None) -> Cell:
    if found is None:
        return Cell("1", ("reference",))
    return Cell(significant(found.time.value), (interval(found.time), found.verdict), _TONES.get(found.verdict, ""))
