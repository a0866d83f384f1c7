"""Stands in for the bindings of kms++, which picamera2 imports for its preview on a display alone."""

from types import SimpleNamespace

PixelFormat = SimpleNamespace(
    **{name: name for name in ("RGB888", "BGR888", "XRGB8888", "XBGR8888", "YUV420", "YVU420", "NV12")}
)
