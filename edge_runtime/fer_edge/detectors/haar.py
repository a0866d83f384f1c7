"""The Haar cascade of Viola and Jones (2001) that comes with OpenCV's wheel."""

from __future__ import annotations

from pathlib import Path

import cv2
import msgspec

from fer_edge import files
from fer_edge.box import Box
from fer_edge.errors import FerError
from fer_edge.preprocessing import Pixels
from fer_edge.settings.detectors import DetectorSettings, HaarSettings
from fer_edge.shrinking import shrink

# Debian's OpenCV, which 32-bit systems use, keeps its cascades here, in a package of their own.
_DEBIAN = Path("/usr/share/opencv4/haarcascades")
# Height of the picture that is searched, in units of its working width: no camera gives a higher one.
_HIGHEST = 4


def cascade_folder() -> Path:
    """Give the folder of the cascades that come with OpenCV; Debian's need not be there (package opencv-data)."""
    data = getattr(cv2, "data", None)
    return Path(data.haarcascades) if data else _DEBIAN


class HaarDetector:
    """Searches the whole picture at every size."""

    def __init__(self, settings: HaarSettings = HaarSettings()) -> None:
        """Load the cascade.

        Raises:
            FerError: There is no such file, or OpenCV does not take it.
        """
        self.settings = settings
        path = Path(settings.cascade)
        if not _is_file(path):
            path = cascade_folder() / path
        if not _is_file(path):
            raise FerError(
                f"no cascade {settings.cascade}, nor {path}; OpenCV has cascades up to version 4, "
                "Debian's are in the package opencv-data"
            )
        self._cascade = cv2.CascadeClassifier()
        try:
            loaded = self._cascade.load(str(path))
        except cv2.error:  # what is no XML at all
            loaded = False
        if not loaded:
            raise FerError(f"{path} is not a cascade file (XML) that OpenCV {cv2.__version__} reads")

    def detect(self, gray: Pixels) -> list[Box]:
        """Give the faces in a picture; see `Detector`."""
        rows, columns = gray.shape
        width = self.settings.working_width
        reduction = max(1.0, columns / width, rows / (_HIGHEST * width))
        if reduction > 1:
            gray = shrink(gray, max(1, round(columns / reduction)), max(1, round(rows / reduction)))
        smallest = max(1, round(min(gray.shape) * self.settings.smallest))
        found = self._cascade.detectMultiScale(
            gray,
            scaleFactor=self.settings.scale_factor,
            minNeighbors=self.settings.neighbors,
            minSize=(smallest, smallest),
        )
        boxes = (Box(*(round(int(value) * reduction) for value in box)) for box in found)
        # OpenCV searches by several threads, and gives what it finds in the order in which they end.
        return sorted(_within(box, columns, rows) for box in boxes)

    def follow(self, gray: Pixels, box: Box) -> Box | None:
        """Give the face that was at a box in the frame before; see `Detector`."""
        settings = self.settings
        rows, columns = gray.shape
        margin = box.width * (settings.follow_window - 1) / 2
        left, right = max(0, int(box.x - margin)), min(columns, int(box.x + box.width + margin))
        top, bottom = max(0, int(box.y - margin)), min(rows, int(box.y + box.height + margin))
        if left >= right or top >= bottom:
            return None
        reduction = max(1.0, box.width / settings.follow_size)
        window = gray[top:bottom, left:right]
        if reduction > 1:
            window = shrink(
                window, max(1, round((right - left) / reduction)), max(1, round((bottom - top) / reduction))
            )
        side = box.width / reduction
        smallest, largest = int(side / settings.follow_change), round(side * settings.follow_change)
        found = self._cascade.detectMultiScale(
            window,
            scaleFactor=settings.follow_scale_factor,
            minNeighbors=settings.follow_neighbors,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
        )
        seen = [Box(*(round(int(value) * reduction) for value in one)) for one in found]
        moved = [_within(Box(one.x + left, one.y + top, one.width, one.height), columns, rows) for one in seen]
        return max(moved, key=box.overlap, default=None)


def _is_file(path: Path) -> bool:
    """Tell files from all else, pipes too, which OpenCV would wait for. Raises what `files.kind` raises."""
    return files.kind(path) == "file" and path.is_file()


def _within(box: Box, columns: int, rows: int) -> Box:
    """Keep rounding from pushing a box over the border."""
    return Box(box.x, box.y, min(box.width, columns - box.x), min(box.height, rows - box.y))


def create(place: str, settings: DetectorSettings) -> HaarDetector:
    """Make the detector, with the settings' cascade unless another is named.

    Raises:
        FerError: See `HaarDetector`; or the cascade, where it is not one of OpenCV's, makes OpenCV crash.
    """
    path = Path(place or settings.haar.cascade)
    if _is_file(path) and path.resolve().parent != cascade_folder().resolve():
        from fer_edge.detectors import _trying  # most runs try nothing

        _trying.check("haar", path)
    return read(path, settings)


def read(path: Path, settings: DetectorSettings) -> HaarDetector:
    """Make the detector of a cascade as it is, by its path or its name in OpenCV's folder."""
    return HaarDetector(msgspec.structs.replace(settings.haar, cascade=str(path)))
