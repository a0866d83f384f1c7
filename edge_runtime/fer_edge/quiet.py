"""Silence for native libraries that write to stderr by themselves, past Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2

_STDERR = 2
_OPENCV_SILENT = 0  # cv::utils::logging::LOG_LEVEL_SILENT


@contextmanager
def native_stderr_hidden() -> Iterator[None]:
    """Send what anyone writes to file descriptor 2 to nowhere; for short calls whose errors come as exceptions.

    The descriptor belongs to the whole process, so other threads' messages are lost as well meanwhile.
    """
    with _native_stderr_into(os.open(os.devnull, os.O_WRONLY)):
        yield


@contextmanager
def native_stderr_kept() -> Iterator[Callable[[], str]]:
    """Keep what anyone writes to file descriptor 2, in memory; see `native_stderr_hidden`.

    Yields:
        A function that gives all that was written so far.
    """
    kept = os.memfd_create("stderr")
    with _native_stderr_into(kept):
        yield lambda: os.pread(kept, os.fstat(kept).st_size, 0).decode(errors="replace")


@contextmanager
def _native_stderr_into(target: int) -> Iterator[None]:
    saved = os.dup(_STDERR)
    try:
        os.dup2(target, _STDERR)
        yield
    finally:
        os.dup2(saved, _STDERR)
        os.close(target)
        os.close(saved)


def silence_opencv() -> None:
    """Keep OpenCV from logging what it cannot open or decode; its return values say it, and our errors tell it."""
    # FFmpeg inside it reads this when the first file is opened.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    # The function moved between 4.11 and 4.14.
    set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    set_level(_OPENCV_SILENT)
