"""Faces drawn into a picture: boxes, track numbers, expressions, confidence."""

from __future__ import annotations

import cv2
import numpy as np

from fer_edge.preprocessing import Pixels
from fer_edge.types import Face, Result

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_BOX, _INK = (80, 220, 80), (0, 0, 0)  # BGR
# Of the picture's height, so that it looks the same in each size; a font of scale 1 is 22 pixels high. As wide as its
# face at most, so that neighbours' texts stay apart, but never so small that nobody can read it.
_TEXT_HEIGHT, _SMALLEST = 1 / 30, 0.4


def annotate(image: Pixels, result: Result) -> Pixels:
    """Draw all faces of a result into a copy of its picture.

    Args:
        image: [H, W, 3] BGR or [H, W] grey, uint8.
        result: What was said of it.

    Returns:
        [H, W, 3] BGR uint8.
    """
    drawn = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy(), np.uint8)
    for face in result.faces:
        _draw(drawn, face)
    return drawn


def _draw(drawn: Pixels, face: Face) -> None:
    rows, columns = drawn.shape[:2]
    box, text = face.box, f"#{face.track} {face.expression} {100 * face.confidence:.0f} %"
    cv2.rectangle(
        drawn, (box.x, box.y), (box.x + box.width - 1, box.y + box.height - 1), _BOX, max(1, round(rows / 240))
    )
    (unit, _), _ = cv2.getTextSize(text, _FONT, 1.0, 1)
    scale = max(_SMALLEST, min(rows * _TEXT_HEIGHT / 22, box.width / unit))
    thick = max(1, round(1.5 * scale))
    (width, height), below = cv2.getTextSize(text, _FONT, scale, thick)
    height += below + thick
    # Above the box; where there is no room, within it. Never beyond the picture's sides.
    left = max(0, min(box.x, columns - width))
    bottom = box.y if box.y >= height else min(rows, box.y + height)
    cv2.rectangle(drawn, (left, bottom - height), (left + width, bottom), _BOX, cv2.FILLED)
    cv2.putText(drawn, text, (left, bottom - below), _FONT, scale, _INK, thick, cv2.LINE_AA)
