"""Frames of a video file, each of them, as fast as they are taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from fer_edge.errors import SourceError
from fer_edge.settings import SourceSettings
from fer_edge.sources._moment import Moment
from fer_edge.types import Frame

_RATE = 30.0


class VideoSource:
    """Yields every frame of a file that OpenCV's FFmpeg decodes."""

    live = False

    def __init__(self, path: Path) -> None:
        """Name the file."""
        self.name = path.name
        self.skipped: list[str] = []
        self._path = path

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            SourceError: It is no video that can be decoded.
        """
        self._video = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not self._video.isOpened():
            raise SourceError(f"{self._path} is not a video or image that can be decoded")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._video.release()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            SourceError: There is none.
        """
        index = 0
        # What tells no rate, such as a stream of pictures, is taken for a camera's.
        rate = self._video.get(cv2.CAP_PROP_FPS) or _RATE
        while True:
            moment = Moment()
            good, image = self._video.read()
            if not good:
                break
            yield moment.frame(index, self.name, np.asarray(image, np.uint8), index / rate)
            index += 1
        if not index:
            raise SourceError(f"{self._path} holds no frame that can be decoded")
        promised = int(self._video.get(cv2.CAP_PROP_FRAME_COUNT))
        if index < promised:
            self.skipped.append(f"{self._path} ends after {index} of {promised} frames: it is cut off or damaged")


def create(place: str, _stop: threading.Event, _settings: SourceSettings) -> VideoSource:
    """Make a source of a video's frames."""
    return VideoSource(Path(place))
