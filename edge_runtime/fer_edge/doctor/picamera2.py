"""Which cameras libcamera finds, by picamera2; run by `apart`, since it may hang or crash with the camera."""

from __future__ import annotations

from fer_edge.doctor.finding import Finding, failure, ok
from fer_edge.sources import _picamera2


def examine() -> list[Finding]:
    """Tell of each camera with what to give as `--source`; nothing where there is none."""
    _picamera2.quieten()
    try:
        from picamera2 import Picamera2
    except ValueError as error:  # extension modules of older systems, which were built for NumPy 1
        return [failure("camera", f"picamera2 does not go with this NumPy: {error}", "pip install 'numpy<2'")]
    except ImportError as error:
        advice = (
            "sudo apt install --reinstall python3-picamera2, and make the environment with --system-site-packages by "
            "the system's own Python"
        )
        return [failure("camera", f"picamera2 cannot be imported: {error}", advice)]
    try:
        cameras = Picamera2.global_camera_info()
    except (RuntimeError, OSError) as error:
        advice = "'rpicam-hello --list-cameras' tells more; another program may have the camera"
        return [failure("camera", f"libcamera does not tell its cameras: {error}", advice)]
    # libcamera lists USB cameras too; those are told as video devices.
    return [
        ok("camera", f"{one.get('Model', 'unknown model')}: --source picamera2:{number}")
        for number, one in enumerate(cameras)
        if "usb" not in str(one.get("Id", "")).lower()
    ]
