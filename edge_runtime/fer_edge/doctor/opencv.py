"""Whether OpenCV has what fer-edge asks of it; run by `apart`."""

from __future__ import annotations

from collections.abc import Iterator

import cv2

from fer_edge.detectors.haar import HaarDetector, cascade_folder
from fer_edge.doctor.finding import Finding, failure, ok, warning
from fer_edge.errors import FerError

_INSTALL = "pip install --force-reinstall 'opencv-python-headless>=4.8,<5', and uninstall other OpenCV packages"


def examine() -> Iterator[Finding]:
    """Tell the version, what frames can be read from, and whether the face detector works."""
    yield _videos()
    yield _cascade()


def _videos() -> Finding:
    """Tell which ways to read video this build has; plug-ins count where they load."""
    has = cv2.videoio_registry.hasBackend
    found = {
        "V4L2": has(cv2.CAP_V4L2),
        "FFmpeg": has(cv2.CAP_FFMPEG),
        "GStreamer": has(cv2.CAP_GSTREAMER),
    }
    told = f"{cv2.__version__}, video by " + ", ".join(
        f"{name} {'yes' if there else 'no'}" for name, there in found.items()
    )
    lost = []
    if not found["V4L2"]:
        lost.append("USB cameras cannot be opened")
    if not (found["FFmpeg"] or found["GStreamer"]):
        lost.append("videos and network cameras cannot be opened")
    return warning("opencv", f"{told}: {' and '.join(lost)}", _INSTALL) if lost else ok("opencv", told)


def _cascade() -> Finding:
    """Load the default detector as a run does."""
    try:
        HaarDetector()
    except (FerError, AttributeError) as error:  # OpenCV 5 has no cascades
        return failure("cascade", f"the default face detector does not load: {error}", _INSTALL)
    folder = cascade_folder()
    return ok("cascade", f"loads; {len(list(folder.glob('*.xml')))} files in {folder}")
