"""Stands in for libcamera's Python bindings: as much as picamera2 wants to read grey and colour pictures.

A thread stands in for the sensor. What a test sets or looks at is said at `Camera`.
"""

from . import _libcamera, controls
from ._camera import Camera, CameraManager, Request
from ._configuration import CameraConfiguration, PixelFormat, SensorConfiguration, StreamConfiguration, StreamRole
from ._libcamera import (
    ColorSpace,
    ControlType,
    FrameBuffer,
    FrameMetadata,
    Orientation,
    Rectangle,
    Size,
    Transform,
)

__all__ = [
    "Camera",
    "CameraConfiguration",
    "CameraManager",
    "ColorSpace",
    "ControlType",
    "FrameBuffer",
    "FrameMetadata",
    "Orientation",
    "PixelFormat",
    "Rectangle",
    "Request",
    "SensorConfiguration",
    "Size",
    "StreamConfiguration",
    "StreamRole",
    "Transform",
    "_libcamera",
    "controls",
]
