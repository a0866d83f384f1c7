"""A camera that the kernel shows as a video device (USB cameras, capture cards), by Video4Linux through OpenCV."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import cv2

from fer_edge import files
from fer_edge.errors import SourceError
from fer_edge.settings import SourceSettings
from fer_edge.sources._handle import Handle
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.types import Frame


class V4l2Source:
    """Yields the newest frame of a camera."""

    live = True

    def __init__(self, device: Path, stop: threading.Event, settings: SourceSettings | None = None) -> None:
        """Name the device file, and say how to run it."""
        self.name = str(device)
        self.skipped: list[str] = []
        self._device = device
        self._stop = stop
        self._patience_s = (settings or SourceSettings()).patience_s
        self._settings = (settings or SourceSettings()).v4l2

    def __enter__(self) -> Self:
        """Open the camera.

        Raises:
            SourceError: There is none, it cannot be opened, or it does not offer what the settings ask for.
        """
        if files.kind(self._device) == "nothing":
            there = ", ".join(sorted(str(path) for path in self._device.parent.glob("video*"))) or "none"
            raise SourceError(f"no camera {self._device} (video devices found: {there}): is it plugged in?")
        camera = cv2.VideoCapture(str(self._device), cv2.CAP_V4L2)
        if not camera.isOpened():
            raise SourceError(
                f"camera {self._device} cannot be opened: another program may have it, "
                "or this user is not in the group 'video'"
            )
        camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        try:
            self._configure(camera)
        except SourceError:
            camera.release()
            raise
        self._camera = Handle(camera)
        return self

    def _configure(self, camera: cv2.VideoCapture) -> None:
        """Ask for what the settings say; drivers answer with what they like better, so what they took is read back."""
        settings = self._settings
        if settings.pixel_format:
            camera.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*settings.pixel_format))
        if all(settings.size):
            camera.set(cv2.CAP_PROP_FRAME_WIDTH, settings.size[0])
            camera.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.size[1])
        if settings.frame_rate:
            camera.set(cv2.CAP_PROP_FPS, settings.frame_rate)
        taken = int(camera.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode(errors="replace")
        if settings.pixel_format and taken != settings.pixel_format:
            raise SourceError(
                f"camera {self._device} gives {taken!r} where {settings.pixel_format!r} is asked for: "
                f"'v4l2-ctl --list-formats-ext -d {self._device}' lists what it offers"
            )
        size = tuple(int(camera.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if all(settings.size) and size != settings.size:
            raise SourceError(
                f"camera {self._device} gives {size[0]}x{size[1]} where {settings.size[0]}x{settings.size[1]} is asked "
                f"for: 'v4l2-ctl --list-formats-ext -d {self._device}' lists what it offers"
            )

    def __exit__(self, *_: object) -> None:
        """Release the camera."""
        self._camera.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until `stop`. Raises `SourceError` where the camera is lost."""
        return newest_frames(self.name, self._shoot, self._stop, self._patience_s)

    def _shoot(self) -> Shot:
        image, captured, decoding_ms = self._camera.shoot(lost="no frame could be grabbed; is it still plugged in?")
        return Shot(image, captured, decoding_ms)


def create(place: str, stop: threading.Event, settings: SourceSettings) -> V4l2Source:
    """Make a source of a camera, by number or device file."""
    return V4l2Source(Path(f"/dev/video{place}" if place.isdecimal() else place), stop, settings)
