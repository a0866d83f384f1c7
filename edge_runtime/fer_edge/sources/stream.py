"""A camera on the network, or any stream with an address that OpenCV's FFmpeg reads (RTSP, MJPEG over HTTP)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Self
from urllib.parse import urlsplit

import cv2
import numpy as np

from fer_edge.errors import SourceError
from fer_edge.settings import SourceSettings
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.types import Frame

_PATIENCE_S = 10.0
_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


class StreamSource:
    """Yields the newest frame of a stream."""

    live = True

    def __init__(self, address: str, stop: threading.Event) -> None:
        """Name the stream; user and password, which an address may hold, stay out of the name."""
        parts = urlsplit(address)
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self.skipped: list[str] = []
        self._address = address
        self._stop = stop

    def __enter__(self) -> Self:
        """Open the stream.

        Raises:
            SourceError: Nobody answers in time, or with something else.
        """
        # RTSP by UDP loses packets, and with them parts of pictures.
        os.environ.setdefault(_OPTIONS, "rtsp_transport;tcp")
        timeout_ms = int(1000 * _PATIENCE_S)
        self._stream = cv2.VideoCapture(
            self._address,
            cv2.CAP_FFMPEG,
            [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms],
        )
        if not self._stream.isOpened():
            raise SourceError(f"{self.name} cannot be opened: is it running, and are address and password right?")
        return self

    def __exit__(self, *_: object) -> None:
        """Close the stream."""
        self._stream.release()

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until `stop`. Raises `SourceError` where the stream ends or stands still."""
        return newest_frames(self.name, self._shoot, self._stop, _PATIENCE_S)

    def _shoot(self) -> Shot:
        if not self._stream.grab():
            raise SourceError("the stream ended")
        captured = time.monotonic_ns()
        good, image = self._stream.retrieve()
        if not good:
            raise SourceError("a frame could not be decoded")
        return Shot(np.asarray(image, np.uint8), captured, (time.monotonic_ns() - captured) / 1e6)


def create(place: str, stop: threading.Event, _settings: SourceSettings) -> StreamSource:
    """Make a source of a stream by its address."""
    return StreamSource(place, stop)
