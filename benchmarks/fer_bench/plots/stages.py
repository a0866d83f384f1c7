"""Drawings of whole loops: how long their stages take."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from fer_bench.plots.strips import LEGEND, Strips, from_zero, legend, strips
from fer_bench.plots.svg import ACCENT, DASHES, FOURTH, SECOND, SOFT, THIRD, drawing, inline
from fer_bench.results import Loops
from fer_bench.words import significant
from fer_train.judging.page import Drawing, Table

_HEIGHT = 14
_COLORS = (ACCENT, SECOND, THIRD, FOURTH, SOFT)
# These are no parts of the whole.
_NO_PARTS = ("total", "age")


def times(found: Loops) -> Drawing:
    """Draw which stage of a loop takes how long, loops one below the other."""
    names, parts = _parts(found)
    totals = [one.stages["total"] for one in found.loops]
    notes = [f"{significant(one.frames_per_second)} frames/s" for one in found.loops]
    longest = max([*map(sum, parts), *(total.p99 for total in totals)])
    with drawing():
        made = _stacked(found, notes, names, parts, "milliseconds a frame", longest)
        for strip, total in enumerate(totals):
            for quantile, dashes in DASHES.items():
                made.line(getattr(total, quantile), strip, ls=dashes)
        svg = inline(made.figure, "stages")
    words = (
        f"{one.name}: {', '.join(f'{name} {significant(stage.p50)} ms' for name, stage in one.stages.items())}"
        for one in found.loops
    )
    return Drawing(
        "Where the time goes",
        svg,
        f"Bars of the median time of each stage. {'; '.join(words)}.",
        "Medians of the stages. Lines: p50, p90 (dashed) and p99 (dotted) of the whole frame.",
        Table(
            ("loop, stage", "p50 ms", "p90 ms", "p99 ms", "longest ms"),
            [
                (f"{one.name}, {name}", *map(significant, (stage.p50, stage.p90, stage.p99, stage.maximum)))
                for one in found.loops
                for name, stage in one.stages.items()
            ],
        ),
    )


def shares(found: Loops) -> Drawing:
    """Draw the same as shares of each loop: what to work on next in a fast one, too."""
    names, parts = _parts(found)
    shares = [[100 * ms / (sum(mine) or 1.0) for ms in mine] for mine in parts]
    tops = [max(zip(mine, names, strict=True)) for mine in shares]
    with drawing():
        notes = [f"{name} {share:.0f} %" for share, name in tops]
        svg = inline(_stacked(found, notes, names, shares, "per cent of the stages", 100).figure, "stage-shares")
    words = (
        f"{one.name}: {', '.join(f'{name} {share:.0f} %' for name, share in zip(names, mine, strict=True))}"
        for one, mine in zip(found.loops, shares, strict=True)
    )
    return Drawing(
        "Share of each stage", svg, f"Bars of the shares of the stages. {'; '.join(words)}.", "Of the same medians."
    )


def _parts(found: Loops) -> tuple[list[str], list[list[float]]]:
    names = list(dict.fromkeys(name for one in found.loops for name in one.stages if name not in _NO_PARTS))
    return names, [[one.stages[name].p50 if name in one.stages else 0.0 for name in names] for one in found.loops]


def _stacked(
    found: Loops,
    notes: Sequence[str],
    names: Sequence[str],
    parts: Sequence[Sequence[float]],
    label: str,
    longest: float,
) -> Strips:
    titles = [(one.name, note) for one, note in zip(found.loops, notes, strict=True)]
    made = strips(titles, _HEIGHT, label, from_zero(longest), top=LEGEND)
    colors = dict(zip(names, cycle(_COLORS), strict=False))
    legend(made, [(name, {"color": colors[name]}) for name in names])
    for strip, mine in enumerate(parts):
        for done, (name, value) in enumerate(zip(names, mine, strict=True)):
            made.bar(sum(mine[:done]), value, strip, color=colors[name])
    return made
