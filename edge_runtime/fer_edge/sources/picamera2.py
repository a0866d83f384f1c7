"""A camera of the Raspberry Pi, by picamera2, which comes from the system's packages (`python3-picamera2`).

The stream is YUV 4:2:0, whose first rows are the luma plane: the grey picture that the detector wants, for nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, Self

import numpy as np

from fer_edge.errors import SourceError
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.types import Frame

_WIDTH, _HEIGHT = 640, 480
_PATIENCE_S = 10.0


class Picamera2Source:
    """Yields the newest luma picture of a camera, 640 x 480."""

    live = True

    def __init__(self, number: int, stop: threading.Event) -> None:
        """Name the camera by libcamera's number."""
        self.name = f"picamera2:{number}"
        self.skipped: list[str] = []
        self._number = number
        self._stop = stop

    def __enter__(self) -> Self:
        """Open and start the camera.

        Raises:
            SourceError: picamera2 is not installed, or the camera is not there.
        """
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise SourceError(
                f"{error}: install it with 'sudo apt install python3-picamera2' and make the environment "
                "with --system-site-packages"
            ) from error
        try:
            self._camera: Any = Picamera2(self._number)
        except (IndexError, RuntimeError) as error:
            raise SourceError(f"no camera {self.name}: {error}; 'rpicam-hello --list-cameras' shows them") from error
        try:
            self._camera.configure(
                self._camera.create_video_configuration(main={"size": (_WIDTH, _HEIGHT), "format": "YUV420"})
            )
            self._camera.start()
        except RuntimeError as error:
            self._camera.close()
            raise SourceError(f"camera {self.name} does not start: {error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and release the camera."""
        self._camera.stop()
        self._camera.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until `stop`. Raises `SourceError` where the camera is lost."""
        return newest_frames(self.name, self._shoot, self._stop, _PATIENCE_S)

    def _shoot(self) -> Shot:
        request = self._camera.capture_request()
        began = time.monotonic_ns()
        try:
            # Rows may be padded to the hardware's stride; the chroma planes lie below the luma.
            luma = np.array(request.make_array("main")[:_HEIGHT, :_WIDTH], np.uint8)
            # By the kernel's boot clock, which is the monotonic one but for time asleep.
            captured = int(request.get_metadata().get("SensorTimestamp", began))
        finally:
            request.release()
        return Shot(luma, captured, (time.monotonic_ns() - began) / 1e6)


def create(place: str, stop: threading.Event) -> Picamera2Source:
    """Make a source of a Raspberry Pi camera, the first by default.

    Raises:
        SourceError: The place is no number.
    """
    if place and not place.isdecimal():
        raise SourceError(f"picamera2:{place} is no camera: give a number, such as picamera2:0")
    return Picamera2Source(int(place or 0), stop)
