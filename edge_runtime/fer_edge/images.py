"""Pictures from files, with one clear error where there is none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fer_edge import LARGEST_PICTURE, files
from fer_edge.errors import SourceError
from fer_edge.preprocessing import Pixels

# What OpenCV's wheels decode on every platform that we run on.
SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# How files of these kinds begin. OpenCV goes by the content and has decoders for a dozen more, less used and tested.
_BEGINNINGS = (b"BM", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"RIFF")


def read_color(path: Path) -> Pixels:
    """Read a picture as [H, W, 3] BGR uint8, turned upright by its EXIF orientation.

    Raises:
        FerError: The file cannot be read.
        SourceError: It is no picture of the kinds in `SUFFIXES`, or has more than `fer_edge.LARGEST_PICTURE` pixels.
    """
    return _decode(path, cv2.IMREAD_COLOR)


def read_gray(path: Path) -> Pixels:
    """Read a picture as [H, W] grey uint8; otherwise as `read_color`."""
    return _decode(path, cv2.IMREAD_GRAYSCALE)


def decode(content: bytes, name: object, mode: int = cv2.IMREAD_COLOR) -> Pixels:
    """Decode a picture.

    Args:
        content: Of a file.
        name: Its name, for people.
        mode: `cv2.IMREAD_COLOR` or `cv2.IMREAD_GRAYSCALE`.

    Raises:
        SourceError: It is no picture of the kinds in `SUFFIXES`, or has more than `fer_edge.LARGEST_PICTURE` pixels.
    """
    image = None
    if content.startswith(_BEGINNINGS):
        try:
            image = cv2.imdecode(np.frombuffer(content, np.uint8), mode)
        except cv2.error as error:
            # OpenCV refuses what its header says is too large before it takes memory for it.
            if "CV_IO_MAX_IMAGE" in str(error.err):
                raise SourceError(f"{name} has more than {LARGEST_PICTURE:,} pixels: make it smaller") from error
            raise SourceError(f"{name} cannot be decoded: {error.err or error}") from error
        except MemoryError as error:
            raise SourceError(f"{name} cannot be decoded: memory is short") from error
    if image is None:
        raise SourceError(f"{name} is not an image that can be decoded, or is cut off")
    return np.asarray(image, np.uint8)


def _decode(path: Path, mode: int) -> Pixels:
    return decode(files.read_bytes(path, "image"), path, mode)
