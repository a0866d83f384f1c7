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
from fer_edge.settings import SourceSettings
from fer_edge.settings.cameras import V4l2Settings
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.types import Frame

_PATIENCE_S = 10.0


class V4l2Source:
    """Yields the newest frame of a camera."""

    live = True

    def __init__(self, device: Path, stop: threading.Event, settings: V4l2Settings | None = None) -> None:
        """Name the device file, and say how to run it."""
        self.name = str(device)
        self.skipped: list[str] = []
        self._device = device
        self._stop = stop
        self._settings = settings or V4l2Settings()

    def __enter__(self) -> Self:
        """Open the camera.

        Raises:
            SourceError: There is none, it cannot be opened, or it does not offer what the settings ask for.
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
        try:
            self._configure()
        except SourceError:
            self._camera.release()
            raise
        return self

    def _configure(self) -> None:
        """Ask for what the settings say; drivers answer with what they like better, so what they took is read back."""
        settings = self._settings
        if settings.pixel_format:
            self._camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.pixel_format))
        if all(settings.size):
            self._camera.set(cv2.CAP_PROP_FRAME_WIDTH, settings.size[0])
            self._camera.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.size[1])
        if settings.frame_rate:
            self._camera.set(cv2.CAP_PROP_FPS, settings.frame_rate)
        taken = int(self._camera.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode(errors="replace")
        if settings.pixel_format and taken != settings.pixel_format:
            raise SourceError(
                f"camera {self._device} gives {taken!r} where {settings.pixel_format!r} is asked for: "
                f"'v4l2-ctl --list-formats-ext -d {self._device}' lists what it offers"
            )
        size = tuple(int(self._camera.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if all(settings.size) and size != settings.size:
            raise SourceError(
                f"camera {self._device} gives {size[0]}x{size[1]} where {settings.size[0]}x{settings.size[1]} is asked "
                f"for: 'v4l2-ctl --list-formats-ext -d {self._device}' lists what it offers"
            )

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


def create(place: str, stop: threading.Event, settings: SourceSettings) -> V4l2Source:
    """Make a source of a camera, by number or device file."""
    return V4l2Source(Path(f"/dev/video{place}" if place.isdecimal() else place), stop, settings.v4l2)
