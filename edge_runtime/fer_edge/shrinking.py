"""Smaller pictures to search in, fast.

OpenCV averages areas ten times as fast by a whole factor as by any other. What a model sees is not made here but in
`preprocessing`, where each pixel counts.
"""

from __future__ import annotations

import cv2
import numpy as np

from fer_edge.preprocessing import Pixels


def by_whole_factor(gray: Pixels, factor: int) -> Pixels:
    """Average squares of pixels.

    Args:
        gray: [H, W] uint8, not smaller than the factor.
        factor: Side of the squares, 1 or more.

    Returns:
        [H // factor, W // factor] uint8; at the right and lower border up to `factor - 1` pixels are left out.
    """
    if factor == 1:
        return gray
    rows, columns = gray.shape[0] // factor, gray.shape[1] // factor
    whole = gray[: rows * factor, : columns * factor]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def shrink(gray: Pixels, width: int, height: int) -> Pixels:
    """Reduce a picture: by a whole factor, and the rest, less than half, bilinearly.

    Args:
        gray: [H, W] uint8, at least as large as what is wanted.
        width: Columns wanted.
        height: Rows wanted.

    Returns:
        [height, width] uint8.
    """
    factor = max(1, min(gray.shape[0] // height, gray.shape[1] // width))
    return np.asarray(cv2.resize(by_whole_factor(gray, factor), (width, height)), np.uint8)
