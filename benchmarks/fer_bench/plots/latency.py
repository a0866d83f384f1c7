"""Drawings of latencies: where all samples lie, and how variants compare with the reference."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from fer_bench.plots.strips import log_limits, strips
from fer_bench.plots.svg import ACCENT, BAD, DASHES, GOOD, SOFT, drawing, inline
from fer_bench.results import Latency, Ratio
from fer_bench.words import interval, significant
from fer_train.judging.page import Drawing, Table

# Two pixels each.
_BINS = 166
_HEIGHT, _RATIO_HEIGHT = 30, 12
_LEGEND = (
    "Lines: p50, p90 dashed, p99 dotted. Samples above p99 have a dot each, none is left out. Each variant is as high "
    "as its fullest bin."
)
_TONES = {"faster": GOOD, "slower": BAD, "no difference shown": SOFT}


def distributions(latencies: Sequence[tuple[str, Latency]]) -> Drawing:
    """Draw a histogram of all samples of each variant along one logarithmic axis of milliseconds.

    Args:
        latencies: Name and latency of each variant, at least one.
    """
    notes = [f"p50 {significant(one.p50.value)} ms" for _, one in latencies]
    shares = (
        f"{name}: p50 {significant(one.p50.value)}, p90 {significant(one.p90.value)}, "
        f"p99 {significant(one.p99.value)}, longest {significant(one.maximum)} ms"
        for name, one in latencies
    )
    return Drawing(
        "Every sample",
        _histograms(latencies, notes, [1.0] * len(latencies), "milliseconds a face", "latency"),
        f"Histograms of latencies. {'; '.join(shares)}.",
        _LEGEND,
        Table(
            ("variant", "samples", "p50 ms", "p90 ms", "p99 ms", "longest ms"),
            [
                (
                    name,
                    f"{sum(map(len, one.rounds_ms)):,}",
                    *map(significant, (one.p50.value, one.p90.value, one.p99.value, one.maximum)),
                )
                for name, one in latencies
            ],
        ),
    )


def steadiness(latencies: Sequence[tuple[str, Latency]]) -> Drawing:
    """Draw the same in units of each variant's median: how steady it is; arguments as of `distributions`."""
    tails = [one.p99.value / one.p50.value for _, one in latencies]
    shares = (f"{name}: p99 {significant(tail)} times p50" for (name, _), tail in zip(latencies, tails, strict=True))
    return Drawing(
        "How steady",
        _histograms(
            latencies,
            [f"p99 = {significant(tail)} p50" for tail in tails],
            [one.p50.value for _, one in latencies],
            "time in units of the variant's own p50",
            "steadiness",
        ),
        f"The same histograms in units of each variant's own median. {'; '.join(shares)}.",
        _LEGEND,
    )


def _histograms(
    latencies: Sequence[tuple[str, Latency]], notes: Sequence[str], units: Sequence[float], label: str, name: str
) -> str:
    samples = [
        np.fromiter(chain.from_iterable(one.rounds_ms), np.float64) / unit
        for (_, one), unit in zip(latencies, units, strict=True)
    ]
    limits = log_limits([float(end) for one in samples for end in (one.min(), one.max())])
    edges = np.geomspace(*limits, _BINS + 1)
    with drawing():
        titles = [(variant, note) for (variant, _), note in zip(latencies, notes, strict=True)]
        made = strips(titles, _HEIGHT, label, limits, log=True)
        for strip, ((_, latency), mine, unit) in enumerate(zip(latencies, samples, units, strict=True)):
            bottom = made.bottoms[strip]
            counts = np.histogram(mine, edges)[0]
            tops = bottom - _HEIGHT * counts / max(1, counts.max())
            made.axes.stairs(tops, edges, baseline=bottom, fill=True, color=ACCENT, alpha=0.75)
            # A single sample among a thousand is too low a bar to be seen.
            rare = np.unique(np.digitize(mine[mine > latency.p99.value / unit], edges))
            made.axes.plot(edges[np.clip(rare, 1, _BINS) - 1], [bottom - 2] * len(rare), ".", color=ACCENT, ms=4)
            for quantile, dashes in DASHES.items():
                made.line(getattr(latency, quantile).value / unit, strip, ls=dashes)
        return inline(made.figure, name)


def ratios(found: Sequence[tuple[str, Ratio]], number: int) -> Drawing:
    """Draw how long variants take in units of one reference's time, with intervals.

    Args:
        found: Name and ratio of each variant, at least one, all to the same reference.
        number: Of the drawing, from 1.
    """
    reference = found[0][1].reference
    limits = log_limits([1.0, 0.95, 1.05, *(end for _, one in found for end in (one.time.low, one.time.high))])
    with drawing():
        made = strips(
            [(name, f"{significant(one.time.value)} {one.verdict}") for name, one in found],
            _RATIO_HEIGHT,
            "time in units of the reference's",
            limits,
            log=True,
        )
        for strip, (_, one) in enumerate(found):
            y, color = made.bottoms[strip] - _RATIO_HEIGHT / 2, _TONES[one.verdict]
            made.line(1, strip)
            made.axes.plot([one.time.low, one.time.high], [y, y], "|-", color=color, lw=2, ms=9, mew=2)
            made.axes.plot(one.time.value, y, "o", color=color, ms=6)
        svg = inline(made.figure, f"ratios-{number}")
    words = (f"{name}: {significant(one.time.value)} ({interval(one.time)}), {one.verdict}" for name, one in found)
    return Drawing(
        f"Time against {reference}",
        svg,
        f"Ratios of times with 95 % intervals. {'; '.join(words)}.",
        "Median over the rounds, each round against the reference's own, with its 95 % interval. Left of 1 is faster.",
    )
