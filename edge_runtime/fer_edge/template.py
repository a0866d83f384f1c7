"""Where a face has moved since a detector saw it: the picture of it, sought close by (template matching).

A small fraction of what a detector costs. What it cannot tell is whether it still is a face, and how large it has
become: so a detector looks again soon.
"""

from __future__ import annotations

import cv2
import numpy as np

from fer_edge.box import Box
from fer_edge.preprocessing import Pixels
from fer_edge.shrinking import by_whole_factor

_SIZE = 24
# How far it may have moved, in units of the face.
_REACH = 0.25
# Least correlation coefficient (OpenCV's TM_CCOEFF_NORMED) with what was seen, 0..1.
_SIMILARITY = 0.9


class Template:
    """A face as it looked in one frame."""

    def __init__(self, gray: Pixels, box: Box, size: int = _SIZE) -> None:
        """Keep it.

        Args:
            gray: [H, W] uint8.
            box: The face, within the picture.
            size: The face is reduced to this many pixels, or less than twice as many.
        """
        self._width, self._height = box.width, box.height
        self._factor = max(1, min(box.width, box.height) // size)
        face = by_whole_factor(gray[box.y : box.y + box.height, box.x : box.x + box.width], self._factor)
        # The frame may be overwritten.
        self._face = face.copy()
        # Whatever is of one grey alone is like anything.
        self._plain = float(self._face.std()) < 1.0

    def find(self, gray: Pixels, box: Box) -> Box | None:
        """Give where it is now; None where it is not to be seen, or sticks out of the picture.

        Args:
            gray: [H, W] uint8.
            box: Where it was, of the size that it had.
        """
        rows, columns = gray.shape
        across, down = round(self._width * _REACH), round(self._height * _REACH)
        left, right = max(0, box.x - across), min(columns, box.x + self._width + across)
        top, bottom = max(0, box.y - down), min(rows, box.y + self._height + down)
        if self._plain or right - left < self._width or bottom - top < self._height:
            return None
        window = by_whole_factor(gray[top:bottom, left:right], self._factor)
        scores = cv2.matchTemplate(window, self._face, cv2.TM_CCOEFF_NORMED)
        _, best, _, (column, row) = cv2.minMaxLoc(scores)
        if not best >= _SIMILARITY:
            return None
        x = left + (column + _peak(scores[row, :], column)) * self._factor
        y = top + (row + _peak(scores[:, column], row)) * self._factor
        return Box(
            min(max(0, round(x)), columns - self._width),
            min(max(0, round(y)), rows - self._height),
            self._width,
            self._height,
        )


def _peak(scores: np.ndarray, place: int) -> float:
    """Give how far the top of the parabola through a maximum and its neighbours is from it, -0.5..0.5."""
    if not 0 < place < len(scores) - 1:
        return 0.0
    before, here, after = (float(score) for score in scores[place - 1 : place + 2])
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend < 0 else 0.0
