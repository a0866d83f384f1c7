"""Whichever camera there is: the Raspberry Pi's own, else the first video device that opens."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from fer_edge.errors import SourceError, UsageError
from fer_edge.settings import SourceSettings
from fer_edge.sources import v4l2
from fer_edge.sources.picamera2 import Picamera2Source
from fer_edge.types import Frame

_DEVICES = Path("/dev")


class AutoSource:
    """Yields the newest frame of the camera that was found."""

    live = True
    name = "auto"

    def __init__(self, stop: threading.Event, settings: SourceSettings) -> None:
        """Look for nothing yet."""
        self.skipped: list[str] = []
        self._stop = stop
        self._settings = settings

    def __enter__(self) -> Self:
        """Open the first camera that opens; its name becomes that of the source.

        Raises:
            SourceError: None does, with the reason of each.
        """
        devices = sorted(_DEVICES.glob("video*"), key=lambda path: (len(path.name), path.name))
        reasons = []
        cameras: list[Picamera2Source | v4l2.V4l2Source] = [Picamera2Source(0, self._stop, self._settings)]
        cameras += [v4l2.V4l2Source(device, self._stop, self._settings) for device in devices]
        for camera in cameras:
            try:
                self._camera = camera.__enter__()
            except SourceError as error:
                reasons.append(str(error))
                continue
            self.name = camera.name
            return self
        raise SourceError(f"no camera was found ('fer-edge run --source demo' needs none): {'; '.join(reasons)}")

    def __exit__(self, *_: object) -> None:
        """Release the camera."""
        self._camera.__exit__(*_)

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until `stop`. Raises `SourceError` where the camera is lost."""
        return iter(self._camera)


def create(place: str, stop: threading.Event, settings: SourceSettings) -> AutoSource:
    """Make the source.

    Raises:
        UsageError: Something follows its name.
    """
    if place:
        raise UsageError(f"the source auto takes nothing: leave out {place!r}")
    return AutoSource(stop, settings)
