"""Drawings of accuracy against what it costs, with the variants that no other beats in everything."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from fer_bench.plots.strips import linear_ticks, log_limits, scale
from fer_bench.plots.svg import ACCENT, CARD, INK, LINE, SOFT, WIDTH, canvas, drawing, inline
from fer_bench.words import percent
from fer_edge.metadata import Accuracy
from fer_train.judging.page import Drawing

_HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 270, 50, 14, 10, 40
_LETTER, _LINE_HEIGHT, _DOT = 7.0, 12.0, 5.0
# Where a number may stand, seen from its dot: beside it, where neither interval runs, or further off with a line to it.
_PLACES = [
    (distance * np.cos(angle), distance * np.sin(angle))
    for distance in (12.5, 20.0, 29.0, 39.0, 51.0)
    for angle in np.radians((45, 135, 225, 315, 62, 118, 242, 298, 28, 152, 208, 332))
]


@dataclass(frozen=True)
class Point:
    """One variant.

    Attributes:
        number: Of the variant, from 1.
        x: What it costs, with the ends of its interval; three times the same for what is exact.
        accuracy: With its interval.
        on_front: Whether no other variant beats it in everything.
    """

    number: int
    x: tuple[float, float, float]
    accuracy: Accuracy
    on_front: bool


def pareto(points: Sequence[Point], what: str, label: str, name: str, key: str) -> Drawing:
    """Draw accuracy against a cost.

    Args:
        points: The variants, at least one.
        what: The cost, for the heading.
        label: Of the axis, with the unit.
        name: Of the drawing, see `inline`.
        key: Which number is which variant.
    """
    with drawing():
        figure = canvas(_HEIGHT)
        inside = (WIDTH - _LEFT - _RIGHT) / WIDTH, (_HEIGHT - _TOP - _BOTTOM) / _HEIGHT
        axes = figure.add_axes((_LEFT / WIDTH, _BOTTOM / _HEIGHT, *inside))
        axes.spines[["right", "top"]].set_visible(False)
        _limits(axes, points)
        axes.set_xlabel(label)
        axes.set_ylabel("accuracy")
        front = _staircase([point for point in points if point.on_front])
        if front:
            corners = [*front, (axes.get_xlim()[1], front[-1][1])]
            axes.step(*zip(*corners, strict=True), where="post", color=ACCENT, lw=1.5)
        for point in points:
            x, low, high = point.x
            axes.plot([low, high], [point.accuracy.value] * 2, color=SOFT, lw=1)
            axes.plot([x, x], [point.accuracy.low, point.accuracy.high], color=SOFT, lw=1)
            fill = ACCENT if point.on_front else CARD
            axes.plot(x, point.accuracy.value, "o", ms=8, color=fill, mec=ACCENT, mew=1.5, zorder=3)
        _number(axes, points)
        svg = inline(figure, name)
    words = (f"{point.number}: {percent(point.accuracy.value)}" for point in points)
    return Drawing(
        f"Accuracy against {what}",
        svg,
        f"Scatter plot of accuracy against {what}. {key} Accuracies: {', '.join(words)}.",
        "Up and left is better. Filled: no other is as good in accuracy, time and size and better in one of them.",
    )


def _limits(axes: Axes, points: Sequence[Point]) -> None:
    scale(axes, log_limits([end for point in points for end in point.x]), log=True)
    low, high = min(one.accuracy.low for one in points), max(one.accuracy.high for one in points)
    room = 0.06 * (high - low) or 0.01
    axes.set_ylim(low - room, high + room)
    ticks = linear_ticks(100 * (low - room), 100 * (high + room))
    axes.set_yticks([tick / 100 for tick in ticks], [f"{tick:g} %" for tick in ticks])
    axes.grid(axis="y", color=LINE, lw=0.8)


def _staircase(front: Sequence[Point]) -> list[tuple[float, float]]:
    """Give the corners of what is reached in this plane: each better than all that cost no more."""
    corners: list[tuple[float, float]] = []
    for x, accuracy in sorted((point.x[0], -point.accuracy.value) for point in front):
        if not corners or -accuracy > corners[-1][1]:
            corners.append((x, -accuracy))
    return corners


def _number(axes: Axes, points: Sequence[Point]) -> None:
    """Write each point's number where it covers neither a point nor another number."""
    spots = axes.transData.transform([(point.x[0], point.accuracy.value) for point in points])
    left, bottom, right, top = axes.get_window_extent().extents
    taken = [(x - _DOT, y - _DOT, x + _DOT, y + _DOT) for x, y in spots]
    for point, (x, y) in zip(points, spots, strict=True):
        half = _LETTER * len(str(point.number)) / 2
        boxes = [
            (x + dx - half, y + dy - _LINE_HEIGHT / 2, x + dx + half, y + dy + _LINE_HEIGHT / 2) for dx, dy in _PLACES
        ]
        free = [
            place
            for place, box in enumerate(boxes)
            if box[0] >= left and box[1] >= bottom and box[2] <= right and box[3] <= top and not _meets(box, taken)
        ]
        place = free[0] if free else 0
        dx, dy = _PLACES[place]
        taken.append(boxes[place])
        if np.hypot(dx, dy) > 15:
            axes.plot([x, x + dx * 0.75], [y, y + dy * 0.75], color=SOFT, lw=0.8, transform=None)
        axes.text(x + dx, y + dy, f"{point.number}", transform=None, ha="center", va="center", color=INK)


def _meets(box: tuple[float, ...], others: Collection[tuple[float, ...]]) -> bool:
    return any(box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in others)
