"""YuNet (Wu et al. 2023, https://doi.org/10.1007/s11633-023-1423-y), a small network, by OpenCV from a given ONNX file.

The file comes from https://github.com/opencv/opencv_zoo (MIT licence). It finds turned and small faces that the cascade
misses, for several times the cost on processors without wide vector units.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np

from fer_edge import files
from fer_edge.box import Box
from fer_edge.errors import FerError, UsageError
from fer_edge.preprocessing import Pixels
from fer_edge.settings.detectors import DetectorSettings, YunetSettings

# The network halves its input five times.
_GRID = 32
# Below so many pixels there is no face to recognise, and the network's answers to such pictures are anything.
_SMALLEST = 16
# Of the picture that is searched, in units of its working width; see the cascade's.
_HIGHEST = 4
# SHA-256 of the zoo's face_detection_yunet_2023mar.onnx.
_ZOO = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"


class YunetDetector:
    """Searches with a network whose input is the picture's size."""

    def __init__(self, model: Path, settings: YunetSettings = YunetSettings()) -> None:
        """Load the network.

        Raises:
            FerError: The file cannot be read, or OpenCV takes it for no such network.
        """
        self.settings = settings
        content = files.read_bytes(model, "detector")
        try:
            self._network = cv2.FaceDetectorYN.create(
                "onnx",
                np.frombuffer(content, np.uint8),
                np.empty(0, np.uint8),
                (_GRID, _GRID),
                settings.confidence,
                settings.overlap,
            )
            self._find(np.zeros((_GRID, _GRID), np.uint8))
        except (cv2.error, TypeError) as error:  # before 4.8 it takes paths alone
            raise FerError(
                f"{model} is not a YuNet network that OpenCV {cv2.__version__} reads: take "
                "face_detection_yunet_2023mar.onnx of the OpenCV zoo, and OpenCV 4.8 or newer"
            ) from error

    def detect(self, gray: Pixels) -> list[Box]:
        """Give the faces in a picture; see `Detector`."""
        rows, columns = gray.shape
        width = self.settings.working_width
        return self._search(gray, min(1.0, width / columns, _HIGHEST * width / rows))

    def follow(self, gray: Pixels, box: Box) -> Box | None:
        """Give the face that was at a box in the frame before; see `Detector`."""
        side = max(box.width, box.height) * self.settings.follow_window
        rows, columns = gray.shape
        left, top = max(0, round(box.x + box.width / 2 - side / 2)), max(0, round(box.y + box.height / 2 - side / 2))
        window = gray[top : min(rows, round(top + side)), left : min(columns, round(left + side))]
        if not window.size:
            return None
        found = self._search(window, self.settings.follow_size / side)
        moved = [Box(one.x + left, one.y + top, one.width, one.height) for one in found]
        near = [one for one in moved if one.overlap(box) > 0]
        return max(near, key=box.overlap, default=None)

    def _search(self, gray: Pixels, scale: float) -> list[Box]:
        rows, columns = gray.shape
        if min(rows, columns) < _SMALLEST:
            return []
        size = tuple(max(_GRID, round(scale * side / _GRID) * _GRID) for side in (columns, rows))
        small = cv2.resize(gray, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        across, down = columns / size[0], rows / size[1]
        found = self._find(np.asarray(small, np.uint8))
        squares = (_square(x * across, y * down, width * across, height * down) for x, y, width, height, *_ in found)
        return [one for one in (_within(box, columns, rows) for box in squares) if one.width > 0 and one.height > 0]

    def _find(self, small: Pixels) -> list[list[float]]:
        self._network.setInputSize((small.shape[1], small.shape[0]))
        _, faces = self._network.detect(cv2.cvtColor(small, cv2.COLOR_GRAY2BGR))
        # On pictures of a few pixels some of its numbers are none.
        found: list[list[float]] = [] if faces is None else faces[np.isfinite(faces).all(axis=1)].tolist()
        return found


def _square(x: float, y: float, width: float, height: float) -> Box:
    """Give the square of the same middle and circumference: what the cascade gives and the classifiers were trained on.

    The network's own boxes are higher than wide.
    """
    side = (width + height) / 2
    return Box(round(x + (width - side) / 2), round(y + (height - side) / 2), round(side), round(side))


def _within(box: Box, columns: int, rows: int) -> Box:
    """Clip a box, which may lie partly outside."""
    left, top = max(0, box.x), max(0, box.y)
    return Box(left, top, min(columns, box.x + box.width) - left, min(rows, box.y + box.height) - top)


def create(place: str, settings: DetectorSettings) -> YunetDetector:
    """Make the detector from an ONNX file, that of the settings unless another is named.

    Raises:
        UsageError: None is named.
        FerError: See `YunetDetector`; or the network, where it is not the zoo's, makes OpenCV crash.
    """
    file = place or settings.yunet.file
    if not file:
        raise UsageError("the detector yunet needs its network: give yunet:face_detection_yunet_2023mar.onnx")
    if hashlib.sha256(files.read_bytes(Path(file), "detector")).hexdigest() != _ZOO:
        from fer_edge.detectors import _trying  # most runs try nothing

        _trying.check("yunet", Path(file))
    return read(Path(file), settings)


def read(path: Path, settings: DetectorSettings) -> YunetDetector:
    """Make the detector of a network as it is."""
    return YunetDetector(path, settings.yunet)
