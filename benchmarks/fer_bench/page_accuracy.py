"""How right the variants are and how far they agree with their float parent, for the HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fer_bench.page_tables import Named
from fer_bench.plots import matrices
from fer_bench.results import Data, Judgement
from fer_bench.words import percent
from fer_train.judging.page import Cell, Drawing, Section, Table

_FELT_SHOWN = 20


def make(data: Data | None, rows: Sequence[Named]) -> Iterator[Section]:
    """Give the parts on accuracy; none without labelled data or where no variant was judged."""
    judged = [(number, name, row.judgement) for number, name, row in rows if row.judgement is not None]
    if data is None or not judged:
        return
    text = [
        f"On {data.images:,} faces of {data.name}, {data.split}. Intervals of accuracies are Wilson's. Macro F1 is a "
        "mean over the expressions that occur; the calibration error is the expected one, of 15 bins (Guo et al. 2017)."
    ]
    missing = [label for number, label in enumerate(data.labels) if number not in data.truth]
    if missing:
        text.append(f"The data has no face that is {' or '.join(missing)}.")
    text += ["A row of a confusion matrix is a true expression, in per cent of its faces.", key(rows)]
    table = _agreement(rows)
    if table:
        text.append(
            "Below: each variant against its float parent on the same faces. A flip is a face with another label; "
            "the gain in accuracy is tested by McNemar's exact test."
        )
    drawings = [matrices.recalls(judged, data.labels), *_confusions(judged, data.labels)]
    yield Section("Accuracy", tuple(text), table, drawings=tuple(drawings))
    yield from _felt(rows)


def _confusions(judged: Sequence[tuple[int, str, Judgement]], labels: Sequence[str]) -> Iterator[Drawing]:
    # A file answers the same with more threads.
    alike: dict[tuple[tuple[int, ...], ...], list[tuple[int, str]]] = {}
    for number, name, judgement in judged:
        alike.setdefault(judgement.confusion, []).append((number, name))
    for cells, members in alike.items():
        yield matrices.confusion("; ".join(name for _, name in members), members[0][0], cells, labels)


def _felt(rows: Sequence[Named]) -> Iterator[Section]:
    flips = [
        (name, flip.image, flip.parent, flip.variant, flip.truth)
        for _, name, row in rows
        if row.agreement is not None
        for flip in row.agreement.felt
    ]
    if flips:
        text = "What a user notices: faces that are happy to the parent and angry to the variant, or the other way."
        more = () if len(flips) <= _FELT_SHOWN else (f"The first {_FELT_SHOWN} of {len(flips)}; the JSON has all.",)
        header = ("variant", "face", "parent says", "variant says", "is labelled")
        yield Section("Flips between happy and angry", (text, *more), Table(header, flips[:_FELT_SHOWN]))


def key(rows: Sequence[Named]) -> str:
    """Say which number is which variant, of those that were judged."""
    return f"The numbers: {', '.join(name for _, name, row in rows if row.judgement is not None)}."


def _agreement(rows: Sequence[Named]) -> Table | None:
    """Give each variant against its float parent; None where none was compared."""
    table = []
    for _, name, row in rows:
        found = row.agreement
        if found is None:
            continue
        gain = found.paired
        table.append(
            [
                Cell(name, (f"against {found.parent}",)),
                Cell(f"{found.flips:,} of {found.total:,}"),
                Cell(percent(found.flips / found.total, 2), (f"{100 * found.low:.2f} to {100 * found.high:.2f}",)),
                Cell(f"{100 * gain.gain:+.2f} points", (f"{100 * gain.low:+.2f} to {100 * gain.high:+.2f}",)),
                f"{gain.only_second:,} / {gain.only_first:,}",
                f"{gain.p_value:.2g}",
                f"{len(found.felt):,}",
            ]
        )
    header = ("variant", "flips", "share", "accuracy", "gained / lost", "McNemar p", "happy and angry")
    return Table(header, table) if table else None
