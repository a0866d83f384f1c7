"""The Haar cascade of Viola and Jones (2001) that comes with OpenCV's wheel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2

from fer_edge.box import Box
from fer_edge.errors import FerError
from fer_edge.preprocessing import Pixels
from fer_edge.shrinking import shrink


@dataclass(frozen=True)
class HaarSettings:
    """How to search.

    Attributes:
        cascade: A path, or the name of a file in OpenCV's cascade folder.
        scale_factor: Ratio between the sizes searched, above 1; larger is faster and misses more.
        neighbors: Hits that must agree on a face; larger misses more and invents less.
        smallest: Smallest face, as a fraction of the picture's shorter side, 0..1.
        working_width: A wider picture is reduced to this many pixels for the search.
        follow_size: A followed face is reduced to this many pixels, where it is larger; the cascade's own size is 24.
        follow_window: Side of the square that is searched around a followed face, in units of the face.
        follow_change: How much larger or smaller, as a factor, the face may have become.
        follow_scale_factor: Ratio between the sizes searched there.
        follow_neighbors: Hits that must agree there.
    """

    cascade: str = "haarcascade_frontalface_default.xml"
    scale_factor: float = 1.2
    neighbors: int = 5
    smallest: float = 0.12
    working_width: int = 400
    follow_size: int = 40
    follow_window: float = 1.5
    follow_change: float = 1.25
    follow_scale_factor: float = 1.1
    follow_neighbors: int = 3


class HaarDetector:
    """Searches the whole picture at every size."""

    def __init__(self, settings: HaarSettings = HaarSettings()) -> None:
        """Load the cascade.

        Raises:
            FerError: There is no such file, or OpenCV does not take it.
        """
        self.settings = settings
        path = Path(settings.cascade)
        if not path.is_file():
            path = Path(cv2.data.haarcascades) / path  # type: ignore[attr-defined]  # missing in the wheel's own stubs
        if not path.is_file():
            raise FerError(f"no cascade {settings.cascade}, nor {path}; OpenCV has cascades up to version 4")
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
        reduction = max(1.0, columns / self.settings.working_width)
        if reduction > 1:
            gray = shrink(gray, self.settings.working_width, max(1, round(rows / reduction)))
        smallest = max(1, round(min(gray.shape) * self.settings.smallest))
        found = self._cascade.detectMultiScale(
            gray,
            scaleFactor=self.settings.scale_factor,
            minNeighbors=self.settings.neighbors,
            minSize=(smallest, smallest),
        )
        boxes = (Box(*(round(int(value) * reduction) for value in box)) for box in found)
        return [_within(box, columns, rows) for box in boxes]

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


def _within(box: Box, columns: int, rows: int) -> Box:
    """Keep rounding from pushing a box over the border."""
    return Box(box.x, box.y, min(box.width, columns - box.x), min(box.height, rows - box.y))


def create(place: str) -> HaarDetector:
    """Make the detector with its default settings and, if one is named, another cascade."""
    return HaarDetector(HaarSettings(cascade=place)) if place else HaarDetector()
