"""What all figures share: colours, and pictures set out in rows, one pixel of the drawing a pixel of the PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from fer_edge.preprocessing import Pixels, resize

# Told apart by people who see few colours as well: Okabe and Ito, https://jfly.uni-koeln.de/color/, the text ones
# darkened until they stand out from white by more than 4.5 to 1.
BLUE, ORANGE = "#0072B2", "#D55E00"
RIGHT, WRONG = "#00694C", "#B33A00"
INK, FAINT = "#222222", "#8A8A8A"
DPI = 100
SIDE = 96
_MARGIN = 14
_LINE = 17
_FONT = 12
_FRAME = 3


@dataclass(frozen=True)
class Tile:
    """A picture with words under it.

    Attributes:
        face: [H, W] uint8.
        lines: Under it, none or more.
        color: Of a frame around the picture and of the first line; None for neither.
    """

    face: Pixels
    lines: tuple[str, ...] = ()
    color: str | None = None


def png(figure: Figure) -> bytes:
    """Write a figure as PNG."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI, facecolor="white")
    return content.getvalue()


def points(pixels: float) -> float:
    """Turn pixels into the unit that sizes of fonts and lines are given in."""
    return pixels * 72 / DPI


def canvas(width: int, height: int) -> Figure:
    """Make an empty figure of so many pixels."""
    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI)


def note(text: str) -> bytes:
    """Draw a sentence in place of pictures that there are none of."""
    figure = canvas(640, 80)
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=points(15), color=INK)
    return png(figure)


def tiles(rows: Sequence[Sequence[Tile]], names: Sequence[str] = (), gap: int = 36) -> bytes:
    """Draw pictures in rows, all at one size.

    Args:
        rows: The pictures; rows may differ in length.
        names: Of the rows, to their left; empty for none.
        gap: Between pictures of a row, pixels.
    """
    left = _MARGIN + (8 * max(map(len, names)) + 12 if names else gap // 2)
    lines = max(len(tile.lines) for row in rows for tile in row)
    pitch_x, pitch_y = SIDE + gap, SIDE + lines * _LINE + 12
    width = left + max(map(len, rows)) * pitch_x - gap + (_MARGIN if names else _MARGIN + gap // 2)
    height = 2 * _MARGIN + len(rows) * pitch_y - 12
    pixels = np.full((height, width, 3), 255, np.uint8)
    figure = canvas(width, height)
    axes = figure.add_axes((0, 0, 1, 1))
    for number, row in enumerate(rows):
        top = _MARGIN + number * pitch_y
        if names:
            axes.text(_MARGIN, top + SIDE / 2, names[number], fontsize=points(13), va="center", color=INK)
        for column, tile in enumerate(row):
            x = left + column * pitch_x
            if tile.color is not None:
                color = np.multiply(to_rgb(tile.color), 255).round()
                pixels[top - _FRAME : top + SIDE + _FRAME, x - _FRAME : x + SIDE + _FRAME] = color
            pixels[top : top + SIDE, x : x + SIDE] = resize(tile.face, SIDE, SIDE)[..., np.newaxis]
            for line, text in enumerate(tile.lines):
                ink = tile.color if line == 0 and tile.color is not None else INK
                y = top + SIDE + 6 + (line + 0.5) * _LINE
                axes.text(x + SIDE / 2, y, text, fontsize=points(_FONT), ha="center", va="center", color=ink)
    axes.imshow(pixels, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    return png(figure)
