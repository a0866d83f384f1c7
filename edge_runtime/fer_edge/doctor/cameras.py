"""Which cameras there are, and whether this user may use them."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from fer_edge.board import Board, find, read_text
from fer_edge.doctor import v4l2
from fer_edge.doctor.apart import apart
from fer_edge.doctor.finding import Finding, failure, ok, warning

# The camera receivers of the Raspberry Pis up to 4, and of the 5; they are there when a camera has answered the kernel.
_RECEIVER = re.compile(r"unicam|rp1-cfe")
# Parts of a Raspberry Pi that have video devices too: codecs and image processors.
_NO_CAMERA = re.compile(r"bcm2835-(codec|isp)|pispbe|rpivid|rpi-hevc-dec")
_GROUP = "sudo usermod -aG video $USER, then log in again (a service: SupplementaryGroups=video)"
_PI_S = 30.0

Query = Callable[[Path], v4l2.Capability]
Libcamera = Callable[[], Sequence[Finding]]


def _libcamera() -> list[Finding]:
    installed = importlib.util.find_spec("picamera2") is not None
    return apart("camera", "picamera2", patience_s=_PI_S) if installed else []


def cameras(board: Board, *, query: Query = v4l2.ask, libcamera: Libcamera = _libcamera) -> list[Finding]:
    """Tell of each camera with what to give as `--source`.

    Args:
        board: Its root holds `dev` as well; a Raspberry Pi has a connector for cameras.
        query: How to ask a device file.
        libcamera: How to find the cameras of that connector.
    """
    found: list[Finding] = []
    receivers, denied = [], []
    for device in _video_devices(board.root):
        name = read_text(board.root / "sys/class/video4linux" / device.name / "name") or ""
        known = f"{device.name} ({name})" if name else device.name
        if _RECEIVER.search(name):
            receivers.append(name)
        elif not _NO_CAMERA.search(name):
            try:
                found += _told(device, name, query(device))
            except PermissionError:
                denied.append(known)
            except OSError as error:
                advice = "unplug it and plug it in again; 'dmesg' tells what the kernel says of it"
                found.append(warning("camera", f"{known} cannot be opened: {error.strerror or error}", advice))
    if denied:
        found.append(failure("camera", f"this user may not open {', '.join(denied)}", _GROUP))
    ours = list(libcamera())
    found += ours
    if receivers and not ours:
        advice = (
            "sudo apt install python3-picamera2, and make the environment with --system-site-packages; 'rpicam-hello "
            "--list-cameras' tells whether libcamera sees it"
        )
        told = f"the kernel has found a camera ({receivers[0]}), but picamera2 gives none"
        found.append(failure("camera", told, advice))
    return found or [warning("camera", "none found", _missing(board))]


def _missing(board: Board) -> str:
    advice = "plug in a USB camera"
    if (board.model() or "").startswith("Raspberry Pi"):
        advice += " or check the ribbon cable of the Pi's own ('rpicam-hello --list-cameras'; it is found at the start)"
    return f"{advice}; --source demo, a video or a network camera (rtsp://...) needs none"


def _video_devices(root: Path) -> list[Path]:
    devices = [path for path in find(root, "dev/video*") if path.name.removeprefix("video").isdecimal()]
    return sorted(devices, key=lambda path: int(path.name.removeprefix("video")))


def _told(device: Path, name: str, one: v4l2.Capability) -> list[Finding]:
    """Tell of a device file that gives pictures; nothing of one that does not."""
    number = device.name.removeprefix("video")
    return [ok("camera", f"{one.card or name} ({one.driver}): --source {number}")] if one.captures else []


def permission(root: Path) -> list[Finding]:
    """Tell which devices this user may not use; those of cameras and of the firmware are for the group video.

    Args:
        root: Folder that holds `dev`.
    """
    devices = [*_video_devices(root)]
    for pattern in ("dev/media*", "dev/dma_heap/*", "dev/vcio"):
        devices += find(root, pattern)
    denied = [path for path in devices if not os.access(path, os.R_OK | os.W_OK, effective_ids=True)]
    if denied:
        named = ", ".join(f"/{path.relative_to(root)}" for path in denied[:3])
        more = f" and {len(denied) - 3} more" if len(denied) > 3 else ""
        return [warning("permission", f"this user may not use {named}{more}", _GROUP)]
    told = (
        f"this user may use all {len(devices)} devices" if devices else "there is no device that needs the group video"
    )
    return [ok("permission", told)]
