"""A camera on the network, or any stream with an address that OpenCV's FFmpeg reads (RTSP, MJPEG over HTTP)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Self
from urllib.parse import urlsplit

import cv2

from fer_edge.errors import SourceError, UsageError
from fer_edge.settings import SourceSettings
from fer_edge.sources import _ffmpeg
from fer_edge.sources._handle import Handle
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.types import Frame

# RTSP by UDP loses packets, and with them parts of pictures. What answers may name no file of this machine.
_OPTIONS = {"rtsp_transport": "tcp", "protocol_whitelist": "crypto,http,httpproxy,https,rtp,rtsp,srtp,tcp,tls,udp"}


class StreamSource:
    """Yields the newest frame of a stream."""

    live = True

    def __init__(self, address: str, stop: threading.Event, patience_s: float) -> None:
        """Name the stream; user and password, which an address may hold, stay out of the name.

        Raises:
            UsageError: It is no address.
        """
        try:
            parts = urlsplit(address)
        except ValueError as error:  # which may repeat what it does not understand, and so a password
            raise UsageError("the source is no address: give one such as rtsp://HOST/PATH") from error
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self.skipped: list[str] = []
        self._address = address
        self._stop = stop
        self._patience_s = patience_s

    def __enter__(self) -> Self:
        """Open the stream.

        Raises:
            SourceError: Nobody answers in time, or with something else, or with frames that are too large.
        """
        timeout_ms = int(1000 * self._patience_s)
        with _ffmpeg.options(_OPTIONS):
            stream = cv2.VideoCapture(
                self._address,
                cv2.CAP_FFMPEG,
                [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms],
            )
        if not stream.isOpened():
            raise SourceError(f"{self.name} cannot be opened: is it running, and are address and password right?")
        try:
            _ffmpeg.check_size(self.name, stream)
        except SourceError:
            stream.release()
            raise
        self._stream = Handle(stream)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the stream."""
        self._stream.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until `stop`. Raises `SourceError` where the stream ends or stands still."""
        return newest_frames(self.name, self._shoot, self._stop, self._patience_s)

    def _shoot(self) -> Shot:
        image, captured, decoding_ms = self._stream.shoot(lost="the stream ended")
        return Shot(_ffmpeg.as_frame("it", image), captured, decoding_ms)


def create(place: str, stop: threading.Event, settings: SourceSettings) -> StreamSource:
    """Make a source of a stream by its address."""
    return StreamSource(place, stop, settings.patience_s)
