"""What a Video4Linux device says of itself.

https://docs.kernel.org/userspace-api/media/v4l/vidioc-querycap.html
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fer_edge import processes

# struct v4l2_capability: driver, card, bus_info, version, capabilities, device_caps, reserved[3].
_CAPABILITY = struct.Struct("=16s32s32sIII12x")
# _IOR('V', 0, struct v4l2_capability), on all processors that fer-edge runs on.
_QUERYCAP = 2 << 30 | _CAPABILITY.size << 16 | ord("V") << 8
_VIDEO_CAPTURE = 0x00000001
_VIDEO_CAPTURE_MPLANE = 0x00001000
_DEVICE_CAPS = 0x80000000
# A driver answers at once; a USB camera that slept takes a second or two.
_PATIENCE_S = 10.0


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


def ask(device: Path, *, patience_s: float = _PATIENCE_S) -> Capability:
    """Ask a device file what it is by another process: a driver that hangs keeps whoever opened its device.

    Args:
        device: The device file.
        patience_s: Seconds after which it is given up.

    Raises:
        OSError: See `query`; or it gave no answer (`TimeoutError`), or the process that asked did not run or ended.
    """
    # -P: nothing in the current folder stands in for a module.
    command = [sys.executable, "-P", "-c", "from fer_edge.doctor import v4l2; v4l2.main()", str(device)]
    try:
        done = processes.run(command, patience_s)
    except subprocess.TimeoutExpired:
        raise TimeoutError(errno.ETIMEDOUT, f"no answer within {patience_s:g} s", str(device)) from None
    try:
        told = msgspec.json.decode(done.stdout, type=Capability | int)
    except msgspec.DecodeError:
        reason = f"the process that asked it ended with {done.returncode}"
        raise OSError(errno.EIO, reason, str(device)) from None
    if isinstance(told, int):
        raise OSError(told, os.strerror(told), str(device))
    return told


def main() -> None:
    """Print what the device file named on the command line is, or the number of the error, as JSON."""
    try:
        told: Capability | int = query(Path(sys.argv[1]))
    except OSError as error:
        told = error.errno or errno.EIO
    sys.stdout.buffer.write(msgspec.json.encode(told))


def query(device: Path) -> Capability:
    """Ask a device file what it is, in this process.

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
