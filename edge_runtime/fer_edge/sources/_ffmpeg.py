"""What OpenCV's FFmpeg may open and how large its pictures may be."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import cv2
import numpy as np

from fer_edge.errors import SourceError
from fer_edge.preprocessing import Pixels

# Pixels of a frame; 4K has 8.3 million. A video of some KB can have frames of a hundred million.
LARGEST_FRAME = 1 << 24
_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


@contextmanager
def options(given: Mapping[str, str]) -> Iterator[None]:
    """Have what is opened meanwhile take FFmpeg's options, unless the user's environment names some."""
    if _VARIABLE in os.environ:
        yield
        return
    os.environ[_VARIABLE] = "|".join(f"{name};{value}" for name, value in given.items())
    try:
        yield
    finally:
        del os.environ[_VARIABLE]


def check_size(name: str, video: cv2.VideoCapture) -> None:
    """Refuse a video or stream by what its header says, before a frame is decoded.

    Raises:
        SourceError: Its frames have more than `LARGEST_FRAME` pixels.
    """
    width, height = (int(video.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    _refuse(name, width, height)


def as_frame(name: str, image: object) -> Pixels:
    """Give what was decoded as [H, W, 3] BGR uint8; frames may have another size than the header says.

    Raises:
        SourceError: It has more than `LARGEST_FRAME` pixels.
    """
    frame = np.asarray(image, np.uint8)
    _refuse(name, frame.shape[1], frame.shape[0])
    return frame


def _refuse(name: str, width: int, height: int) -> None:
    if width * height > LARGEST_FRAME:
        raise SourceError(f"{name} has frames of {width} x {height} pixels, more than {LARGEST_FRAME:,} in all")
