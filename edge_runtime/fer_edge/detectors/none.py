"""No search: the frame is the face, as in pictures that were cut already."""

from __future__ import annotations

from fer_edge.box import Box
from fer_edge.errors import UsageError
from fer_edge.preprocessing import Pixels
from fer_edge.settings.detectors import DetectorSettings


class WholeFrame:
    """Takes each frame for a face."""

    def detect(self, gray: Pixels) -> list[Box]:
        """Give the whole picture; see `Detector`."""
        rows, columns = gray.shape
        return [Box(0, 0, columns, rows)]

    def follow(self, gray: Pixels, box: Box) -> Box | None:
        """Give the whole picture; see `Detector`."""
        del box
        return self.detect(gray)[0]


def create(place: str, _settings: DetectorSettings) -> WholeFrame:
    """Make the detector.

    Raises:
        UsageError: Something follows its name.
    """
    if place:
        raise UsageError(f"the detector none takes nothing: leave out {place!r}")
    return WholeFrame()
