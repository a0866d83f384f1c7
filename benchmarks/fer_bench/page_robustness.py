"""What corruptions cost, for the HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fer_bench import tables_robustness
from fer_bench.page_tables import Named
from fer_bench.results import Corrupted, Robustness
from fer_bench.words import percent
from fer_train.judging.page import Cell, Section, Table


def make(rows: Sequence[Named]) -> Iterator[Section]:
    """Give the parts on corrupted faces; none where no variant was judged on any."""
    titles = {title for title, _ in tables_robustness.distinct([row for _, _, row in rows])}
    found = [(number, name, row.robustness) for number, name, row in rows if row.robustness and row.title in titles]
    if not found:
        return
    text = (
        "On the same faces, 48 pixels wide, corrupted as cheap cameras and loose boxes do it (after Hendrycks and "
        f"Dietterich 2019). The loss is the mean over {len(found[0][2].corrupted)} corruptions; intervals draw faces. "
        "A ratio of 0.5 is half of what the first variant loses on the same faces."
    )
    summary = [_summary(name, robustness) for _, name, robustness in found]
    yield Section("Robustness", (text,), Table(("variant", "clean", "lost", "against the first"), summary))
    each = [
        [together[0].corruption, together[0].severity, *map(_corrupted, together)]
        for together in zip(*(robustness.corrupted for _, _, robustness in found), strict=True)
    ]
    text = f"Accuracy, and the points lost against clean faces. The numbers: {', '.join(name for _, name, _ in found)}."
    header = ("corruption", "strength", *(str(number) for number, _, _ in found))
    yield Section("By corruption", (text,), Table(header, each))


def _summary(name: str, found: Robustness) -> list[object]:
    drop, clean = found.drop, found.clean
    cells: list[object] = [
        name,
        Cell(percent(clean.value), (f"{100 * clean.low:.1f} to {100 * clean.high:.1f}",)),
        Cell(f"{100 * drop.value:.2f} points", (f"{100 * drop.low:.2f} to {100 * drop.high:.2f}",)),
    ]
    if found.against is None:
        return [*cells, "-"]
    ratio = found.against.ratio
    return [*cells, Cell(f"{ratio.value:.2f}", (f"{ratio.low:.2f} to {ratio.high:.2f}",))]


def _corrupted(found: Corrupted) -> Cell:
    low, high = 0.0 - 100 * found.paired.high, 0.0 - 100 * found.paired.low
    return Cell(percent(found.accuracy.value), (f"lost {tables_robustness.lost(found)}", f"{low:.1f} to {high:.1f}"))
