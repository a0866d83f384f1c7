"""Pictures from files, with one clear error where there is none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fer_edge import files
from fer_edge.errors import SourceError
from fer_edge.preprocessing import Pixels

# What OpenCV's wheels decode on every platform that we run on.
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def read_color(path: Path) -> Pixels:
    """Read a picture as [H, W, 3] BGR uint8, turned upright by its EXIF orientation.

    Raises:
        FerError: The file cannot be read.
        SourceError: It is no picture that OpenCV decodes.
    """
    return _decode(path, cv2.IMREAD_COLOR)


def read_gray(path: Path) -> Pixels:
    """Read a picture as [H, W] grey uint8; otherwise as `read_color`."""
    return _decode(path, cv2.IMREAD_GRAYSCALE)


def _decode(path: Path, mode: int) -> Pixels:
    content = files.read_bytes(path, "image")
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), mode)
    except cv2.error as error:  # such as more pixels than OpenCV's own limit
        raise SourceError(f"{path} cannot be decoded: {error.err or error}") from error
    if image is None:
        raise SourceError(f"{path} is not an image that can be decoded, or is cut off")
    return np.asarray(image, np.uint8)
