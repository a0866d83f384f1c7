"""A camera of the Raspberry Pi, by picamera2, which comes from the system's packages (`python3-picamera2`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, Self

from fer_edge.errors import SourceError
from fer_edge.settings import SourceSettings
from fer_edge.sources import _picamera2
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.types import Frame

_DIGITS = 4


class Picamera2Source:
    """Yields the newest frame of a camera: its luma, with a colour picture on request."""

    live = True

    def __init__(self, number: int, stop: threading.Event, settings: SourceSettings | None = None) -> None:
        """Name the camera by its place in picamera2's list, and say how to run it."""
        self.name = f"picamera2:{number}"
        self.skipped: list[str] = []
        self._number = number
        self._stop = stop
        self._patience_s = (settings or SourceSettings()).patience_s
        self._settings = (settings or SourceSettings()).picamera2
        self._asking = threading.Lock()

    def __enter__(self) -> Self:
        """Open, configure and start the camera.

        Raises:
            SourceError: picamera2 cannot be imported; the camera is not there, is in use, or cannot do as asked.
        """
        _picamera2.quieten()
        try:
            from picamera2 import Picamera2
        except ImportError as error:
            raise SourceError(
                f"{error}: install it with 'sudo apt install python3-picamera2' and make the environment "
                "with --system-site-packages"
            ) from error
        except ValueError as error:
            # What extension modules say that were built for NumPy 1, as those of older systems are.
            raise SourceError(
                f"the system's picamera2 does not go with this environment's NumPy: {error}; install an older one "
                "with \"pip install 'numpy<2'\""
            ) from error
        try:
            there = len(Picamera2.global_camera_info())
            if self._number >= there:
                raise SourceError(f"no camera {self.name}: {there} found; 'rpicam-hello --list-cameras' shows them")
            self._camera: Any = Picamera2(self._number)
        except (RuntimeError, OSError) as error:
            raise SourceError(
                f"camera {self.name} cannot be opened: {_first(error)}; another program may have it, or this user is "
                "not in the group 'video'"
            ) from error
        started = False
        try:
            self._camera.configure(_picamera2.configuration(self._camera, self._settings))
            self._luma, self._color = _picamera2.streams(self._camera.camera_configuration(), self._settings)
            self._camera.start()
            started = True
        except (RuntimeError, OSError, SourceError) as error:
            raise SourceError(f"camera {self.name} does not start: {_first(error)}") from error
        finally:
            if not started:
                self._camera.close()
        self._open = True
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and release the camera."""
        with self._asking:
            self._open = False
            # Where a camera gives nothing any more, somebody still waits for a frame: stopping would wait behind them.
            self._camera.cancel_all_and_flush()
        try:
            self._camera.stop()
        finally:
            self._camera.close()

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until `stop`. Raises `SourceError` where the camera is lost."""
        return newest_frames(self.name, self._shoot, self._stop, self._patience_s)

    def _shoot(self) -> Shot:
        with self._asking:
            if not self._open:
                raise SourceError("it is closed")
            job = self._camera.capture_request(wait=False, flush=self._settings.fresh or None)
        request = self._camera.wait(job)
        began = time.monotonic_ns()
        try:
            luma = self._luma.copy(request)
            color = None if self._color is None else self._color.copy(request)
            captured = _picamera2.monotonic_ns(int(request.get_metadata().get("SensorTimestamp", began)))
        finally:
            request.release()
        fetched_ms = (time.monotonic_ns() - began) / 1e6
        return Shot(luma, captured, fetched_ms) if color is None else Shot(color, captured, fetched_ms, luma)


def _first(error: BaseException) -> str:
    """Say what was raised first: picamera2 wraps what libcamera says in errors that say less."""
    while earlier := error.__cause__ or error.__context__:
        error = earlier
    return str(error)


def create(place: str, stop: threading.Event, settings: SourceSettings) -> Picamera2Source:
    """Make a source of a Raspberry Pi camera, the first by default.

    Raises:
        SourceError: The place is no number.
    """
    if place and not (place.isdecimal() and len(place) < _DIGITS):
        raise SourceError(f"picamera2:{place} is no camera: give a number, such as picamera2:0")
    return Picamera2Source(int(place or 0), stop, settings)
