"""Drawings of shares in cells: who was taken for whom, and which expressions each variant finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from fer_bench.plots.svg import HEAT, INK, LINE, WIDTH, canvas, drawing, inline, shorten
from fer_bench.results import Judgement
from fer_bench.words import percent
from fer_train.judging.page import Drawing, Table

_LETTER, _LONGEST, _SLOPE = 6.2, 12, 0.6
_CELL, _LOW_CELL = 36.0, 26.0
# A narrower cell has no room for its share.
_NARROWEST = 24


def confusion(name: str, number: int, cells: Sequence[Sequence[int]], labels: Sequence[str]) -> Drawing:
    """Draw how often each expression was called what.

    Args:
        name: Of the variants that answer so.
        number: Of the first of them, from 1.
        cells: Row t, column p: how often expression t was called p.
        labels: The expressions.
    """
    shares = [[cell / sum(row) if sum(row) else None for cell in row] for row in cells]
    svg = _matrix(shares, labels, labels, ("answered", "true"), _CELL, f"confusion-{number}")
    found = (f"{label} {_share(row[at])}" for at, (label, row) in enumerate(zip(labels, shares, strict=True)))
    return Drawing(
        name,
        svg,
        f"Confusion matrix of {name}. Share of each expression that is found: {', '.join(found)}.",
        table=Table(
            ("true, answered", *labels),
            [(label, *(f"{cell:,}" for cell in row)) for label, row in zip(labels, cells, strict=True)],
        ),
    )


def recalls(found: Sequence[tuple[int, str, Judgement]], labels: Sequence[str]) -> Drawing:
    """Draw how much of each expression each variant finds.

    Args:
        found: Number, name and judgement of each variant, at least one.
        labels: The expressions.
    """
    shares = [[one.recalls.get(label) for label in labels] for _, _, one in found]
    svg = _matrix(shares, [f"{number}" for number, _, _ in found], labels, ("", ""), _LOW_CELL, "recalls")
    words = (
        f"{name}: {', '.join(f'{label} {_share(share)}' for label, share in zip(labels, row, strict=True))}"
        for (_, name, _), row in zip(found, shares, strict=True)
    )
    return Drawing(
        "Found of each expression",
        svg,
        f"Recall of each expression by variant. {'; '.join(words)}.",
        "Recall, per cent; a row a variant.",
        Table(
            ("variant", *labels),
            [(name, *map(_share, row)) for (_, name, _), row in zip(found, shares, strict=True)],
        ),
    )


def _matrix(
    shares: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    axis_labels: tuple[str, str],
    cell: float,
    name: str,
) -> str:
    rows, columns = ([shorten(one, _LONGEST) for one in names] for names in (rows, columns))
    left = 10 + _LETTER * max(map(len, rows)) + (16 if axis_labels[1] else 0)
    bottom = 14 + _SLOPE * _LETTER * max(map(len, columns)) + (16 if axis_labels[0] else 0)
    inside, height = WIDTH - left - 2, cell * len(rows) + bottom + 2
    with drawing():
        figure = canvas(height)
        axes = figure.add_axes((left / WIDTH, bottom / height, inside / WIDTH, cell * len(rows) / height))
        axes.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
        for (row, column), share in np.ndenumerate(np.array(shares, object)):
            # Never so dark that the same ink is hard to read on it.
            fill = to_rgba(HEAT, share or 0)
            axes.add_artist(Rectangle((column + 0.02, row + 0.02), 0.96, 0.96, fc=fill, ec=LINE, lw=0.6))
            if inside / len(columns) >= _NARROWEST:
                text = "-" if share is None else f"{100 * share:.0f}"
                axes.text(column + 0.5, row + 0.5, text, ha="center", va="center_baseline")
        slope: dict[str, Any] = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks([at + 0.6 for at in range(len(columns))], columns, color=INK, **slope)
        axes.set_yticks([at + 0.5 for at in range(len(rows))], rows, color=INK)
        axes.tick_params(length=0, pad=4)
        axes.spines[:].set_visible(False)
        axes.set_xlabel(axis_labels[0])
        axes.set_ylabel(axis_labels[1])
        return inline(figure, name)


def _share(share: float | None) -> str:
    return "-" if share is None else percent(share)
