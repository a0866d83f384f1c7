"""Face detectors by name, one module each.

A module gives `create(place: str, settings: DetectorSettings) -> Detector`, where `place` is what follows the name: in
`yunet:faces.onnx` the module is `yunet` and the place `faces.onnx`.
"""

from __future__ import annotations

from typing import Protocol

from fer_edge.box import Box
from fer_edge.preprocessing import Pixels
from fer_edge.registry import Registry
from fer_edge.settings.detectors import DetectorSettings

REGISTRY = Registry(__name__, "detector")


class Detector(Protocol):
    """Finds faces in grey pictures."""

    def detect(self, gray: Pixels) -> list[Box]:
        """Give the faces in a picture [H, W] uint8, in its pixels, within its borders, in no particular order."""
        ...

    def follow(self, gray: Pixels, box: Box) -> Box | None:
        """Give the face that was at a box in the frame before; None where it is not seen there any more.

        Args:
            gray: [H, W] uint8.
            box: In its pixels.
        """
        ...


def open_detector(spec: str, settings: DetectorSettings | None = None) -> Detector:
    """Make a detector.

    Args:
        spec: "haar", "none", or "yunet:FILE.onnx".
        settings: Of all detectors; what follows the name in `spec` counts before them. None for the defaults.

    Raises:
        UsageError: The name is not known, or nothing or too much follows it.
        FerError: The detector's file cannot be read.
    """
    name, _, place = spec.partition(":")
    detector: Detector = REGISTRY.load(name).create(place, settings or DetectorSettings())
    return detector
