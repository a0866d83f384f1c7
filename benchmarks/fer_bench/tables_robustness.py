"""What corruptions cost, as tables for the terminal and for a README."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from fer_bench.results import Corrupted, Robustness, Row


def cells(row: Row) -> dict[str, Any]:
    """Give the columns of the table of variants."""
    found = row.robustness
    if found is None:
        return {}
    drop, worst = found.drop, min(found.corrupted, key=lambda one: one.paired.gain)
    cells = {
        "clean %": f"{100 * found.clean.value:.2f}",
        "points lost, mean (95 %)": f"{100 * drop.value:.2f} ({100 * drop.low:.2f} to {100 * drop.high:.2f})",
        "loss against the first (95 %)": "-",
        "most by": f"{worst.corruption}, {worst.severity}: {lost(worst)}",
    }
    if found.against is not None:
        ratio = found.against.ratio
        cells["loss against the first (95 %)"] = f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    return cells


def by_corruption(rows: Sequence[Row], style: str = "simple") -> str:
    """Give accuracy under each corruption and the points lost, a column for each variant; "" where none was judged."""
    found = distinct(rows)
    if not found:
        return ""
    table = [["none", "", *(f"{100 * robustness.clean.value:.2f}" for _, robustness in found)]]
    for together in zip(*(robustness.corrupted for _, robustness in found), strict=True):
        answers = (f"{100 * one.accuracy.value:.2f}, {interval(one)}" for one in together)
        table.append([together[0].corruption, together[0].severity, *answers])
    headers = ["corruption", "", *(f"{title}: %, points lost (95 %)" for title, _ in found)]
    sides = ["left", "left", *["right"] * len(found)]
    return tabulate(table, headers=headers, tablefmt=style, disable_numparse=True, colalign=sides)


def distinct(rows: Sequence[Row]) -> list[tuple[str, Robustness]]:
    """Give title and robustness of each file that was judged; with more threads it answers the same."""
    found: dict[tuple[str, str], tuple[str, Robustness]] = {}
    for row in rows:
        if row.robustness is not None:
            found.setdefault((row.file, row.runtime), (row.title, row.robustness))
    return list(found.values())


def lost(found: Corrupted) -> str:
    """Write the points that a corruption costs."""
    return f"{0.0 - 100 * found.paired.gain:.1f}"


def interval(found: Corrupted) -> str:
    """Write the points that a corruption costs, with their 95 % interval."""
    paired = found.paired
    return f"{lost(found)} ({0.0 - 100 * paired.high:.1f} to {0.0 - 100 * paired.low:.1f})"
