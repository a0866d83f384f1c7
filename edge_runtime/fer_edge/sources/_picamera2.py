"""What a camera of the Raspberry Pi is asked for, in the terms of picamera2 and libcamera.

Without colour there is one stream, `main` in YUV 4:2:0: the camera's hardware writes the luma plane, the grey picture
that the detector wants, and the processor copies that plane alone. With colour, `main` is RGB and `lores`, a second
output of the hardware, gives the luma plane; what that costs is the memory's bandwidth and the copy of the colour
picture. The luma is never computed from the colours.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_edge.errors import SourceError
from fer_edge.preprocessing import Pixels
from fer_edge.settings.cameras import Picamera2Settings

# In both, the luma rows come first.
_LUMA_FORMATS = ("YUV420", "NV12")
# libcamera names the order of the bits in a little-endian word: in memory this is B, G, R, as OpenCV has it.
_COLOR_FORMAT = "RGB888"


@dataclass(frozen=True)
class Stream:
    """A stream as the camera gives it.

    Attributes:
        name: "main" or "lores".
        width: Pixels of a row; the rows in memory may be longer.
        height: Rows of the picture; planes of chroma may follow.
    """

    name: str
    width: int
    height: int

    def copy(self, request: Any) -> Pixels:
        """Copy the picture out of the camera's memory, without padding and chroma.

        Args:
            request: A completed one of picamera2.

        Returns:
            [height, width] or [height, width, 3], uint8.
        """
        from picamera2 import MappedArray

        # `make_array` would copy the chroma too.
        with MappedArray(request, self.name, write=False) as mapped:
            return np.array(mapped.array[: self.height, : self.width])


def quieten() -> None:
    """Keep picamera2 and libcamera from writing to stderr; their exceptions say what fails, and our errors tell it."""
    log = logging.getLogger("picamera2")
    if not log.handlers:
        # Without any handler, Python writes warnings and errors to stderr; a program's own handlers still get them.
        log.addHandler(logging.NullHandler())
    # libcamera reads it when it logs its first line.
    os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:FATAL")


def configuration(camera: Any, settings: Picamera2Settings) -> dict[str, Any]:
    """Make picamera2's configuration of an open camera.

    Raises:
        RuntimeError: The camera is closed.
        ValueError: A stream is not described as picamera2 wants it.
    """
    from libcamera import Transform

    luma = {"size": settings.size, "format": "YUV420"}
    streams: dict[str, Any] = {"main": luma}
    if settings.color:
        streams["main"] = {"size": settings.size, "format": _COLOR_FORMAT}
        streams["lores"] = {**luma, "size": settings.luma_size if all(settings.luma_size) else settings.size}
    configured: dict[str, Any] = camera.create_video_configuration(
        **streams,
        transform=Transform(hflip=settings.horizontal_flip, vflip=settings.vertical_flip),
        buffer_count=settings.buffer_count,
        controls=_controls(camera.camera_controls, settings),
    )
    return configured


def _controls(advertised: dict[str, Any], settings: Picamera2Settings) -> dict[str, Any]:
    from libcamera import controls

    duration_us = round(1e6 / settings.frame_rate)
    focus = controls.AfModeEnum.Continuous if settings.autofocus == "continuous" else controls.AfModeEnum.Manual
    chosen = {"FrameDurationLimits": (duration_us, duration_us), "AfMode": focus}
    chosen = {name: value for name, value in chosen.items() if name in advertised}
    # Whoever asks for these wants to know that the camera cannot: picamera2 raises for what is not advertised.
    if settings.exposure_us:
        chosen["ExposureTime"] = settings.exposure_us
    if settings.analogue_gain:
        chosen["AnalogueGain"] = settings.analogue_gain
    return chosen


def streams(configured: dict[str, Any], settings: Picamera2Settings) -> tuple[Stream, Stream | None]:
    """Read back what the camera made of its configuration.

    Args:
        configured: picamera2's `camera_configuration()`.
        settings: What was asked for.

    Returns:
        The luma, and the colour picture or None.

    Raises:
        SourceError: The camera gives other formats.
    """
    luma, color = ("lores", "main") if settings.color else ("main", None)
    for name, formats in ((luma, _LUMA_FORMATS), (color, (_COLOR_FORMAT,))):
        if name is not None and configured[name]["format"] not in formats:
            raise SourceError(f"it gives {configured[name]['format']} where {formats[0]} is asked for")
    return Stream(luma, *configured[luma]["size"]), Stream(color, *configured[color]["size"]) if color else None


def monotonic_ns(sensor_ns: int) -> int:
    """Turn a sensor's timestamp into one of `time.monotonic_ns()`.

    libcamera documents CLOCK_BOOTTIME, which goes on while the machine sleeps; the drivers of the Pi's cameras stamp by
    CLOCK_MONOTONIC, which does not. Only in the first case, after a sleep, the stamp lies ahead of the monotonic clock.

    Args:
        sensor_ns: "SensorTimestamp" of a frame's metadata, nanoseconds.
    """
    now = time.monotonic_ns()
    if sensor_ns <= now:
        return sensor_ns
    return sensor_ns - (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - now)
