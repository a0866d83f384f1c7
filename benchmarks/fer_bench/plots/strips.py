"""What most drawings are: strips one under the other along one horizontal axis, a line of text above each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from fer_bench.plots.svg import CARD, INK, LINE, SOFT, WIDTH, canvas, shorten
from fer_bench.words import number

# Room above the first strip for a legend, pixels.
LEGEND = 22
_LEFT, _RIGHT, _BOTTOM = 12, 16, 40
_TITLE, _GAP = 17, 9
_SQUARE = 9
# Width of letters and capitals in most fonts at the size of a title, pixels.
_LETTER, _CAPITAL = 6.2, 7.2
_TICK_STEPS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
_FEWEST_TICKS, _MOST_TICKS = 3, 7


@dataclass(frozen=True)
class Strips:
    """Strips that wait for their marks.

    Attributes:
        figure: All of them.
        axes: x in data units, y in pixels from the top.
        inner: Height of what is drawn in a strip, pixels.
        bottoms: Lower end of each strip, pixels from the top.
    """

    figure: Figure
    axes: Axes
    inner: int
    bottoms: tuple[float, ...]

    def line(self, x: float, strip: int, **style: Any) -> None:
        """Draw a vertical line through a strip."""
        bottom = self.bottoms[strip]
        given: dict[str, Any] = {"color": INK, "lw": 1.2, "clip_on": False} | style
        self.axes.plot([x, x], [bottom - self.inner, bottom], **given)

    def bar(self, start: float, length: float, strip: int, **style: Any) -> None:
        """Draw a bar as high as a strip."""
        bottom = self.bottoms[strip]
        given: dict[str, Any] = {"edgecolor": CARD, "linewidth": 0.8} | style
        self.axes.barh(bottom - self.inner / 2, length, self.inner, left=start, **given)


def strips(
    titles: Sequence[tuple[str, str]],
    inner: int,
    label: str,
    limits: tuple[float, float],
    *,
    log: bool = False,
    top: int = 2,
) -> Strips:
    """Make strips.

    Args:
        titles: For each a name, shortened to fit, and what stands at the right end of its line.
        inner: Height of what is drawn in each, pixels.
        label: Of the horizontal axis.
        limits: Of that axis.
        log: Whether it is logarithmic.
        top: Room above the first, pixels.
    """
    pitch = _TITLE + inner + _GAP
    height = top + pitch * len(titles) + _BOTTOM
    figure = canvas(height)
    axes = figure.add_axes(
        (_LEFT / WIDTH, _BOTTOM / height, (WIDTH - _LEFT - _RIGHT) / WIDTH, (height - _BOTTOM) / height)
    )
    axes.set_ylim(height - _BOTTOM, 0)
    axes.set_yticks([])
    axes.spines[["left", "right", "top"]].set_visible(False)
    scale(axes, limits, log=log)
    axes.set_xlabel(label)
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "baseline"}
    for row, (name, note) in enumerate(titles):
        room = int((WIDTH - _LEFT - _RIGHT) / _LETTER) - len(note) - 1
        axes.text(0, top + row * pitch + 11, shorten(name, room), ha="left", **place)
        axes.text(1, top + row * pitch + 11, note, ha="right", color=SOFT, **place)
    return Strips(figure, axes, inner, tuple(top + row * pitch + _TITLE + inner for row in range(len(titles))))


def scale(axes: Axes, limits: tuple[float, float], *, log: bool) -> None:
    """Set the horizontal axis, with ticks that are round numbers and a faint line at each."""
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(*limits)
    ticks = log_ticks(*limits) if log else linear_ticks(*limits)
    axes.set_xticks(ticks, [number(tick) for tick in ticks])
    axes.tick_params(length=0, pad=5)
    axes.grid(axis="x", color=LINE, lw=0.8)
    axes.set_axisbelow(True)


def linear_ticks(low: float, high: float) -> list[float]:
    """Give some round numbers within limits."""
    ticks = MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(tick) for tick in ticks if low <= tick <= high]


def log_ticks(low: float, high: float) -> list[float]:
    """Give some round numbers within limits above 0, about evenly spread on a logarithmic axis."""
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in _TICK_STEPS:
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        within = [tick for tick in ticks if low <= tick <= high]
        if _FEWEST_TICKS <= len(within) <= _MOST_TICKS:
            return within
    return linear_ticks(low, high)


def log_limits(values: Sequence[float]) -> tuple[float, float]:
    """Give limits of a logarithmic axis with some room around values above 0."""
    low, high = max(min(values), 1e-6), max(max(values), 1e-6)
    room = max(1.02, (high / low) ** 0.04)
    return low / room, high * room


def from_zero(largest: float, smallest: float = 0.0) -> tuple[float, float]:
    """Give limits that hold 0; a difference of two times may be below it."""
    low, high = min(0.0, smallest), max(0.0, largest)
    room = 0.04 * (high - low) or 1.0
    return low - (room if low < 0 else 0.0), high + room


def legend(made: Strips, entries: Sequence[tuple[str, dict[str, Any]]]) -> None:
    """Write what colours mean in the room of `LEGEND` above the first strip: a square and a word each."""
    inside, x = WIDTH - _LEFT - _RIGHT, 0.0
    place: dict[str, Any] = {"transform": made.axes.get_yaxis_transform(), "clip_on": False}
    for word, style in entries:
        made.axes.barh(7, _SQUARE / inside, _SQUARE, left=x / inside, **place, **style)
        made.axes.text((x + _SQUARE + 4) / inside, 11, word, va="baseline", color=SOFT, **place)
        x += _SQUARE + 4 + _CAPITAL * len(word) + 12
