"""The parts of the HTML page: what of a result comes where, in which words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fer_bench import choosing, page_accuracy, page_conditions, page_robustness, page_tables
from fer_bench.page_tables import Named
from fer_bench.plots import bars, latency, pareto, stages
from fer_bench.results import Ratio, Result
from fer_bench.words import listed, significant
from fer_train.judging.page import Drawing, Section, Table


def title(result: Result) -> str:
    """Give the heading of the page."""
    count, where = len(result.rows), result.conditions
    return f"fer-bench: {count} variant{'' if count == 1 else 's'} on {where.board or where.processor}"


def make(result: Result) -> list[Section]:
    """Give all parts that the result has something for, in their order."""
    rows = page_tables.name(result.rows)
    return [
        *page_conditions.problems(result),
        _main(result, rows),
        *_failures(rows),
        *_choosing(rows),
        *_latency(rows),
        *page_accuracy.make(result.data, rows),
        *page_robustness.make(rows),
        *_starts(rows),
        *_operators(rows),
        *_loops(result),
        Section("Conditions", table=page_conditions.conditions(result)),
    ]


def _main(result: Result, rows: Sequence[Named]) -> Section:
    if not rows:
        return Section("Results", ("No variant was measured.",))
    references = dict.fromkeys(row.latency.ratio.reference for _, _, row in rows if row.latency and row.latency.ratio)
    text = "Times are of one face: cut, resize, quantise, infer, normalise. Intervals, in small type, are 95 %."
    if result.energy_meter is not None:
        text += f" Energy is that of {result.energy_meter}."
    if references:
        text += f" A ratio is the time in units of that of {listed(list(references))}."
    return Section("Results", (text, *_absent(result)), page_tables.main(rows))


def _absent(result: Result) -> Iterator[str]:
    missing = []
    if result.data is None:
        missing.append("accuracy, for want of labelled data (--data)")
    if result.loops is None:
        missing.append("the whole loop, for want of a source (--loop)")
    if result.energy_meter is None:
        missing.append("energy, for want of a meter on this board")
    if missing:
        yield f"Not measured: {'; '.join(missing)}."


def _failures(rows: Sequence[Named]) -> Iterator[Section]:
    failures = [(name, failure) for _, name, row in rows for failure in row.failures]
    if failures:
        yield Section("What could not be measured", (), Table(("variant", "why"), failures), warning=True)


def _choosing(rows: Sequence[Named]) -> Iterator[Section]:
    front = choosing.front([row for _, _, row in rows])
    drawings = [*_fronts(rows, front), *_ratios(rows)]
    if front:
        whole = sum(1 for _, _, row in rows if row.judgement and row.latency and row.cost)
        others = " Each of the others is beaten: one of these is as good in all three and better in one."
        text = f"On the front of accuracy, median latency and size: {listed(front)}."
        text += others if len(front) < whole else ""
        yield Section("Which to take", (text, page_accuracy.key(rows)), drawings=tuple(drawings))
    elif drawings:
        yield Section("Which is faster", drawings=tuple(drawings))


def _fronts(rows: Sequence[Named], front: Sequence[str]) -> Iterator[Drawing]:
    of_time, of_size = [], []
    for number, _, row in rows:
        if row.judgement is None or row.latency is None or row.cost is None:
            continue
        found, size, accuracy = row.latency.p50, row.cost.bytes / 1e6, row.judgement.accuracy
        of_time.append(pareto.Point(number, (found.value, found.low, found.high), accuracy, row.title in front))
        of_size.append(pareto.Point(number, (size, size, size), accuracy, row.title in front))
    if front:
        key = page_accuracy.key(rows)
        yield pareto.pareto(of_time, "latency", "p50, milliseconds a face", "pareto-latency", key)
        yield pareto.pareto(of_size, "size", "size of the file, MB", "pareto-size", key)


def _ratios(rows: Sequence[Named]) -> Iterator[Drawing]:
    by_reference: dict[str, list[tuple[str, Ratio]]] = {}
    for _, name, row in rows:
        if row.latency is not None and row.latency.ratio is not None:
            by_reference.setdefault(row.latency.ratio.reference, []).append((name, row.latency.ratio))
    for number, found in enumerate(by_reference.values(), start=1):
        yield latency.ratios(found, number)


def _latency(rows: Sequence[Named]) -> Iterator[Section]:
    measured = [(name, row.latency) for _, name, row in rows if row.latency is not None]
    if measured:
        yield Section("Latency", drawings=(latency.distributions(measured), latency.steadiness(measured)))


def _starts(rows: Sequence[Named]) -> Iterator[Section]:
    found = [(name, row.start) for _, name, row in rows if row.start and row.start.load_ms and row.start.empty_bytes]
    if found:
        yield Section("Start and memory", drawings=(bars.start(found), bars.memory(found)))


def _operators(rows: Sequence[Named]) -> Iterator[Section]:
    drawings = tuple(
        bars.operators(name, number, row.profile)
        for number, name, row in rows
        if row.profile is not None and row.profile.operators
    )
    if drawings:
        text = "The ten operators that take longest, each timed by cutting the graph behind it."
        yield Section("Operators", (text,), drawings=drawings)


def _loops(result: Result) -> Iterator[Section]:
    if result.loops is not None and result.loops.loops:
        width, height = result.loops.size
        text = (
            f"From frame to expressions: {result.loops.source}, {width} x {height} pixels, classified by "
            f"{result.loops.model}. Age is the time from a frame's capture to its result; 'of a search' is what "
            "a frame takes without being fetched, as a share of one search of a whole picture by full-frame, "
            f"{significant(result.loops.search_ms)} ms."
        )
        yield Section(
            "Whole loops",
            (text,),
            page_tables.loops(result.loops),
            drawings=(stages.times(result.loops), stages.shares(result.loops)),
        )
