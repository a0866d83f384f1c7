"""Frames of a video file, each of them, as fast as they are taken."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import cv2

from fer_edge.errors import SourceError
from fer_edge.settings import SourceSettings
from fer_edge.sources import _ffmpeg
from fer_edge.sources._moment import Moment
from fer_edge.types import Frame

_RATE = 30.0
# Containers of one file. Playlists, which are files as well, would open others, or addresses.
_OPTIONS = {
    "format_whitelist": "3g2,3gp,asf,avi,flv,gif,h264,hevc,ivf,m4a,m4v,matroska,mj2,mjpeg,mov,mp4,mpeg,mpegts,"
    "mpegvideo,mpjpeg,ogg,webm",
    "protocol_whitelist": "file",
}


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
            SourceError: It is no video that can be decoded, or its frames are too large.
        """
        with _ffmpeg.options(_OPTIONS):
            self._video = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG)
        if not self._video.isOpened():
            raise SourceError(f"{self._path} is not a video or image that can be decoded")
        try:
            _ffmpeg.check_size(str(self._path), self._video)
        except SourceError:
            self._video.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._video.release()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames.

        Raises:
            SourceError: There is none, or one is too large.
        """
        index = 0
        # What tells no rate, such as a stream of pictures, is taken for a camera's.
        rate = self._video.get(cv2.CAP_PROP_FPS)
        rate = rate if 0 < rate < math.inf else _RATE
        while True:
            moment = Moment()
            try:
                good, image = self._video.read()
            except cv2.error as error:  # such as too little memory for a frame
                raise SourceError(f"{self._path} cannot be decoded: {error.err or error}") from error
            if not good:
                break
            yield moment.frame(index, self.name, _ffmpeg.as_frame(str(self._path), image), index / rate)
            index += 1
        if not index:
            raise SourceError(f"{self._path} holds no frame that can be decoded")
        promised = int(self._video.get(cv2.CAP_PROP_FRAME_COUNT))
        if index < promised:
            self.skipped.append(f"{self._path} ends after {index} of {promised} frames: it is cut off or damaged")


def create(place: str, _stop: threading.Event, _settings: SourceSettings) -> VideoSource:
    """Make a source of a video's frames."""
    return VideoSource(Path(place))
