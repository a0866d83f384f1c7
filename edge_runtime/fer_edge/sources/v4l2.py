"""A camera that the kernel shows as a video device (USB cameras, capture cards), by Video4Linux through OpenCV."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from fer_edge.errors import SourceError
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.types import Frame

_PATIENCE_S = 10.0


class V4l2Source:
    """Yields the newest frame of a camera."""

    live = True

    def __init__(self, device: Path, stop: threading.Event) -> None:
        """Name the device file."""
        self.name = str(device)
        self.skipped: list[str] = []
        self._device = device
        self._stop = stop

    def __enter__(self) -> Self:
        """Open the camera.

        Raises:
            SourceError: There is none, or it cannot be opened.
        """
        if not self._device.exists():
            there = ", ".join(sorted(str(path) for path in self._device.parent.glob("video*"))) or "none"
            raise SourceError(f"no camera {self._device} (video devices found: {there}): is it plugged in?")
        self._camera = cv2.VideoCapture(str(self._device), cv2.CAP_V4L2)
        if not self._camera.isOpened():
            raise SourceError(
                f"camera {self._device} cannot be opened: another program may have it, "
                "or this user is not in the group 'video'"
            )
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return self

    def __exit__(self, *_: object) -> None:
        """Release the camera."""
        self._camera.release()

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until `stop`. Raises `SourceError` where the camera is lost."""
        return newest_frames(self.name, self._shoot, self._stop, _PATIENCE_S)

    def _shoot(self) -> Shot:
        if not self._camera.grab():
            raise SourceError("no frame could be grabbed; is it still plugged in?")
        captured = time.monotonic_ns()
        good, image = self._camera.retrieve()
        if not good:
            raise SourceError("a frame could not be decoded")
        return Shot(np.asarray(image, np.uint8), captured, (time.monotonic_ns() - captured) / 1e6)


def create(place: str, stop: threading.Event) -> V4l2Source:
    """Make a source of a camera, by number or device file."""
    return V4l2Source(Path(f"/dev/video{place}" if place.isdecimal() else place), stop)
