"""What a camera is configured with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from ._libcamera import ColorSpace, Orientation, Size

StreamRole = Enum("StreamRole", ["Raw", "StillCapture", "VideoRecording", "Viewfinder"])


@dataclass(frozen=True)
class PixelFormat:
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass
class SensorConfiguration:
    bit_depth: int = 0
    output_size: Size = field(default_factory=Size)


class Stream:
    """Only its identity counts."""


class StreamFormats:
    pixel_formats = [PixelFormat("SRGGB10_CSI2P")]

    def sizes(self, _: PixelFormat) -> list[Size]:
        return [Size(640, 480), Size(1640, 1232), Size(3280, 2464)]


@dataclass
class StreamConfiguration:
    size: Size = field(default_factory=Size)
    pixel_format: PixelFormat = PixelFormat("YUV420")
    buffer_count: int = 0
    stride: int = 0
    frame_size: int = 0
    color_space: ColorSpace | None = None
    stream: Stream = field(default_factory=Stream)
    formats: StreamFormats = field(default_factory=StreamFormats)

    def validate(self) -> None:
        """Lay the rows out as the camera's hardware does: padded."""
        name, width, height = str(self.pixel_format), self.size.width, self.size.height
        pixel, alignment, rows = {
            "YUV420": (1.0, 64, height * 3 // 2),
            "RGB888": (3.0, 32, height),
            "MJPEG": (0.5, 1, height),
            "SRGGB10_CSI2P": (1.25, 32, height),
        }[name]
        self.stride = -(-int(width * pixel) // alignment) * alignment
        self.frame_size = self.stride * rows


class CameraConfiguration:
    Status = Enum("Status", ["Valid", "Adjusted", "Invalid"])

    def __init__(self, streams: int, adjusted: dict[str, object]) -> None:
        self.orientation = Orientation.Rotate0
        self.sensor_config: SensorConfiguration | None = None
        self._streams = [StreamConfiguration() for _ in range(streams)]
        self._adjusted = adjusted

    def at(self, index: int) -> StreamConfiguration:
        return self._streams[index]

    def __iter__(self) -> Iterator[StreamConfiguration]:
        return iter(self._streams)

    def validate(self) -> CameraConfiguration.Status:
        for name, value in self._adjusted.items():
            setattr(self._streams[0], name, value)
        for stream in self._streams:
            stream.validate()
        return self.Status.Adjusted if self._adjusted else self.Status.Valid
