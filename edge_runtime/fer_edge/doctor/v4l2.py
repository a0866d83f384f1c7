"""What a Video4Linux device says of itself.

https://docs.kernel.org/userspace-api/media/v4l/vidioc-querycap.html
"""

from __future__ import annotations

import fcntl
import os
import struct
from dataclasses import dataclass
from pathlib import Path

# struct v4l2_capability: driver, card, bus_info, version, capabilities, device_caps, reserved[3].
_CAPABILITY = struct.Struct("=16s32s32sIII12x")
# _IOR('V', 0, struct v4l2_capability), on all processors that fer-edge runs on.
_QUERYCAP = 2 << 30 | _CAPABILITY.size << 16 | ord("V") << 8
_VIDEO_CAPTURE = 0x00000001
_VIDEO_CAPTURE_MPLANE = 0x00001000
_DEVICE_CAPS = 0x80000000


@dataclass(frozen=True)
class Capability:
    """What a device file is for.

    Attributes:
        driver: Such as "uvcvideo", for USB cameras.
        card: For people: "HD Pro Webcam C920".
        captures: Whether pictures can be taken from it; USB cameras have another device file that gives metadata, and
            codecs have some that are given pictures.
    """

    driver: str
    card: str
    captures: bool


def query(device: Path) -> Capability:
    """Ask a device file what it is.

    Raises:
        OSError: It cannot be opened (EACCES: by this user), or is no video device (ENOTTY).
    """
    # Without waiting, and without taking it from whoever films.
    handle = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return decode(fcntl.ioctl(handle, _QUERYCAP, bytes(_CAPABILITY.size)))
    finally:
        os.close(handle)


def decode(answer: bytes) -> Capability:
    """Read the kernel's `struct v4l2_capability`, 104 bytes."""
    driver, card, _bus, _version, capabilities, device = _CAPABILITY.unpack(answer)
    # The first are those of all device files of the camera together.
    own = device if capabilities & _DEVICE_CAPS else capabilities
    return Capability(
        driver=_text(driver), card=_text(card), captures=bool(own & (_VIDEO_CAPTURE | _VIDEO_CAPTURE_MPLANE))
    )


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="replace")
