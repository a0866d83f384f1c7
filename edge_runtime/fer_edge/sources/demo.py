"""A face without a camera: a window that moves over a public-domain portrait.

The portrait is NASA's photograph of the astronaut Eileen Collins, as it comes with scikit-image (extra `demo`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from math import cos, pi, sin
from typing import Self

import cv2
import numpy as np

from fer_edge.errors import SourceError
from fer_edge.settings import SourceSettings
from fer_edge.sources._moment import Moment
from fer_edge.types import Frame

_WIDTH, _HEIGHT = 400, 300
_PERIOD = 200
# Frames a second, were it a camera.
_RATE = 30


class DemoSource:
    """Yields frames of 400 x 300 without end, the same in every run, as fast as they are taken."""

    name = "demo"
    live = False

    def __init__(self) -> None:
        """Read nothing yet."""
        self.skipped: list[str] = []

    def __enter__(self) -> Self:
        """Load the portrait.

        Raises:
            SourceError: scikit-image is not installed.
        """
        try:
            from skimage import data
        except ImportError as error:
            raise SourceError(f"{error}: the demo needs its extra: pip install 'fer-edge[demo]'") from error
        self._portrait = np.asarray(cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR), np.uint8)
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to release."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield windows whose corner runs round an ellipse in which the face stays whole."""
        rows, columns = self._portrait.shape[:2]
        # The face lies in the upper half: the window goes as far down as its own margin above the face allows.
        across, down = (columns - _WIDTH) / 2, (rows - _HEIGHT) / 8
        index = 0
        while True:
            moment = Moment()
            angle = 2 * pi * index / _PERIOD
            left, top = round(across * (1 + sin(angle))), round(down * (1 - cos(angle)))
            image = self._portrait[top : top + _HEIGHT, left : left + _WIDTH].copy()
            yield moment.frame(index, self.name, image, index / _RATE)
            index += 1


def create(_place: str, _stop: threading.Event, _settings: SourceSettings) -> DemoSource:
    """Make the demo."""
    return DemoSource()
