"""Silence for native libraries that write to stderr by themselves, past Python."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_STDERR = 2
_OPENCV_SILENT = 0  # cv::utils::logging::LOG_LEVEL_SILENT


@contextmanager
def native_stderr_hidden() -> Iterator[None]:
    """Send what anyone writes to file descriptor 2 to nowhere; for short calls whose errors come as exceptions.

    The descriptor belongs to the whole process, so other threads' messages are lost as well meanwhile.
    """
    saved = os.dup(_STDERR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, _STDERR)
        yield
    finally:
        os.dup2(saved, _STDERR)
        os.close(nowhere)
        os.close(saved)


def silence_opencv() -> None:
    """Keep OpenCV from logging what it cannot open or decode; its return values say it, and our errors tell it."""
    # FFmpeg inside it reads this when the first file is opened.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    # The function moved between 4.11 and 4.14.
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    set_level(_OPENCV_SILENT)
