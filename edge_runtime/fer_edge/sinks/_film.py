"""A video file whose time is the source's, made anew where the pictures' size changes or the file is gone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2

from fer_edge.preprocessing import Pixels

# Codecs that OpenCV's wheels encode everywhere, by the file's ending.
CODECS = {".mp4": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
# Of pictures that have no time of their own, frames a second; and of those whose clock tells none.
_PICTURES, _USUAL = 1.0, 30.0
# A pause longer than this is left out, seconds.
_LONGEST_PAUSE_S = 10.0


def rate_of(times: Sequence[tuple[int, float | None]]) -> float:
    """Find out the rate of a source.

    Args:
        times: Number and time, seconds, of its first frames, the numbers of those counted that nobody took.

    Returns:
        Frames a second, 0.1 to 240. MPEG-4 takes no more than two decimals.
    """
    (first, began), (last, ended) = times[0], times[-1]
    if began is None or ended is None:
        return _PICTURES
    rate = (last - first) / (ended - began) if ended > began else _USUAL
    return round(min(240.0, max(0.1, rate)), 2)


class Film:
    """One video file.

    Attributes:
        path: Of the file.
        size: Width and height of its pictures.
    """

    def __init__(self, path: Path, rate: float, size: tuple[int, int], timed: bool) -> None:
        """Begin a file.

        Args:
            path: Where nothing is yet; the ending is one of `CODECS`.
            rate: Frames a second.
            size: Width and height of all pictures.
            timed: Whether a picture is put where its time says: gaps are filled with the picture before, and of two at
                the same place the first stays. Else pictures follow each other.

        Raises:
            OSError: It cannot be written.
        """
        self.path = path
        self.size = size
        self._rate = rate
        self._timed = timed
        self._written = 0
        self._start_s: float | None = None
        self._last: Pixels | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()  # which says why, where OpenCV says nothing
        codec = cv2.VideoWriter.fourcc(*CODECS[path.suffix.lower()])
        self._writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, rate, size)
        if not self._writer.isOpened():
            path.unlink(missing_ok=True)
            raise OSError(f"this OpenCV cannot encode {path.suffix} of {size[0]}x{size[1]}")

    def add(self, picture: Pixels, at_s: float | None) -> None:
        """Add a picture, [H, W, 3] BGR uint8 of the film's size, taken at that time, seconds."""
        for _ in range(self._missing(at_s)):
            self._writer.write(picture if self._last is None else self._last)
            self._written += 1
        if not self._timed or at_s is None or self._place(at_s) >= self._written:
            self._writer.write(picture)
            self._written += 1
        self._last = picture

    def close(self) -> None:
        """End the file."""
        self._writer.release()

    def _missing(self, at_s: float | None) -> int:
        """Count the pictures that are missing in front of that time."""
        if not self._timed or at_s is None:
            return 0
        if self._start_s is None:
            self._start_s = at_s
        missing = self._place(at_s) - self._written
        if not -1 <= missing <= _LONGEST_PAUSE_S * self._rate:
            # A long pause, or a clock that began anew.
            self._start_s = at_s - self._written / self._rate
            return 0
        return max(0, missing)

    def _place(self, at_s: float) -> int:
        assert self._start_s is not None
        return round((at_s - self._start_s) * self._rate)


def free_path(path: Path) -> Path:
    """Give the path, or the first of NAME-2, NAME-3 and so on where there is something already."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_stem(f"{path.stem}-{number}")
    return found
