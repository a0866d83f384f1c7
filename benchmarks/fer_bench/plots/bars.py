"""Drawings of bars: the start of a process, its memory, the operators of a graph."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_high

from fer_bench.plots.strips import LEGEND, Strips, from_zero, legend, strips
from fer_bench.plots.svg import ACCENT, CARD, INK, SECOND, drawing, inline
from fer_bench.results import Profile, Start
from fer_bench.tables import longest_operators
from fer_bench.words import megabytes, percent, significant
from fer_train.judging.page import Drawing, Table

_HEIGHT, _LOW = 14, 9


def start(found: Sequence[tuple[str, Start]]) -> Drawing:
    """Draw what a fresh process needs until its first answer.

    Args:
        found: Name and start of each variant, at least one.
    """
    times = [(name, median_high(one.load_ms), median_high(one.first_ms), one) for name, one in found]
    longest = max(max(load + first for load, first in zip(one.load_ms, one.first_ms, strict=True)) for _, one in found)
    with drawing():
        made = strips(
            [(name, f"{significant(load + first)} ms") for name, load, first, _ in times],
            _HEIGHT,
            "milliseconds",
            from_zero(longest),
            top=LEGEND,
        )
        legend(made, [("load", {"color": ACCENT}), ("first face", {"color": SECOND})])
        for strip, (_, load, first, one) in enumerate(times):
            made.bar(0, load, strip, color=ACCENT)
            made.bar(load, first, strip, color=SECOND)
            _dots(made, strip, [a + b for a, b in zip(one.load_ms, one.first_ms, strict=True)])
        svg = inline(made.figure, "start")
    words = (
        f"{name}: load {significant(load)} ms, first face {significant(first)} ms" for name, load, first, _ in times
    )
    return Drawing(
        "Until the first answer",
        svg,
        f"Bars of start times. {'; '.join(words)}.",
        "Medians of fresh processes, after their imports; a dot is the sum of one process.",
        Table(
            ("variant", "processes", "load ms", "first ms"),
            [(name, len(one.load_ms), significant(load), significant(first)) for name, load, first, one in times],
        ),
    )


def memory(found: Sequence[tuple[str, Start]]) -> Drawing:
    """Draw how much more memory a process has at its peak than one without a model; arguments as of `start`."""
    above = [(name, [peak - median_high(one.empty_bytes) for peak in one.peak_bytes], one) for name, one in found]
    largest = max(max(values) for _, values, _ in above)
    with drawing():
        made = strips(
            [(name, megabytes(median_high(values))) for name, values, _ in above],
            _HEIGHT,
            "MB above a process without a model",
            from_zero(largest / 1e6),
        )
        for strip, (_, values, _) in enumerate(above):
            made.bar(0, median_high(values) / 1e6, strip, color=ACCENT)
            _dots(made, strip, [value / 1e6 for value in values])
        svg = inline(made.figure, "memory")
    words = (f"{name}: {megabytes(median_high(values))}" for name, values, _ in above)
    return Drawing(
        "Memory",
        svg,
        f"Bars of peak memory above that of a process without a model. {'; '.join(words)}.",
        "Largest resident memory, median of fresh processes, less that of processes that load no model; a dot is one.",
        Table(
            ("variant", "peak", "without a model", "difference"),
            [
                (
                    name,
                    *map(megabytes, (median_high(one.peak_bytes), median_high(one.empty_bytes), median_high(values))),
                )
                for name, values, one in above
            ],
        ),
    )


def operators(name: str, number: int, profile: Profile) -> Drawing:
    """Draw the operators that take longest.

    Args:
        name: Of the variant.
        number: Of the variant, from 1.
        profile: With one operator at least.
    """
    longest = longest_operators(profile)
    labels = [(f"{one.index} {one.name} {'x'.join(map(str, one.shape))}", one) for one in longest]
    with drawing():
        made = strips(
            [
                (label, f"{significant(1000 * one.ms)} µs, {percent(one.ms / profile.whole_ms, 0)}")
                for label, one in labels
            ],
            _LOW,
            "microseconds",
            from_zero(1000 * longest[0].ms, 1000 * longest[-1].ms),
            top=LEGEND,
        )
        own = {"color": CARD, "edgecolor": INK, "linewidth": 1.2}
        legend(made, [("XNNPACK", {"color": ACCENT}), ("interpreter's own kernel", own)])
        for strip, (_, one) in enumerate(labels):
            made.bar(0, 1000 * one.ms, strip, **({"color": ACCENT} if one.delegated else own))
        svg = inline(made.figure, f"operators-{number}")
    words = (f"{label} {significant(1000 * one.ms)} µs" for label, one in labels)
    return Drawing(
        name,
        svg,
        f"Bars of the longest operators of {name}. {'; '.join(words)}.",
        f"XNNPACK runs {profile.delegated} of {len(profile.operators)} operators. Shares are of the whole graph's "
        f"{significant(profile.whole_ms)} ms.",
        Table(
            ("operator", "output", "by", "µs", "million MACs"),
            [
                (
                    f"{one.index} {one.name}",
                    one.output,
                    "XNNPACK" if one.delegated else "own kernel",
                    significant(1000 * one.ms),
                    significant(one.multiply_accumulates / 1e6),
                )
                for one in longest
            ],
        ),
    )


def _dots(made: Strips, strip: int, values: Sequence[float]) -> None:
    y = made.bottoms[strip] - made.inner / 2
    made.axes.plot(values, [y] * len(values), "o", color=INK, mec=CARD, mew=0.8, ms=5, clip_on=False)
