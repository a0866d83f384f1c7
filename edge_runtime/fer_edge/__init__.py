"""Facial-expression recognition on the device: camera, face, expression, without TensorFlow.

Example:
    >>> from pathlib import Path
    >>> from fer_edge import Classifier, open_detector, shipped_model
    >>> classifier = Classifier.load(shipped_model())
    >>> for box in open_detector("haar").detect(gray):
    ...     print(classifier.classify(gray, box))
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_edge.box import Box
    from fer_edge.classifier import Classifier
    from fer_edge.detectors import open_detector
    from fer_edge.errors import DataError, FerError, ModelError, SourceError, UsageError
    from fer_edge.loop import Loop
    from fer_edge.metadata import InputSpec, ModelMetadata
    from fer_edge.models import shipped_model
    from fer_edge.sources import open_source
    from fer_edge.types import Face, Frame, Result, StageTimes, Track

__all__ = [
    "Box",
    "Classifier",
    "DataError",
    "Face",
    "FerError",
    "Frame",
    "InputSpec",
    "Loop",
    "ModelError",
    "ModelMetadata",
    "Result",
    "SourceError",
    "StageTimes",
    "Track",
    "UsageError",
    "open_detector",
    "open_source",
    "shipped_model",
]

# Pixels of a picture from a file, more than a camera of 32 megapixels has. A file of 100 KB can claim a billion. OpenCV
# reads the variable when it is imported, and applies it before it takes memory for a picture.
LARGEST_PICTURE = 1 << 25
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(LARGEST_PICTURE))

# Where each is, imported when it is asked for: a command that needs one of them does not wait for all.
_HOMES = {
    "Box": "box",
    "Classifier": "classifier",
    "DataError": "errors",
    "Face": "types",
    "FerError": "errors",
    "Frame": "types",
    "InputSpec": "metadata",
    "Loop": "loop",
    "ModelError": "errors",
    "ModelMetadata": "metadata",
    "Result": "types",
    "SourceError": "errors",
    "StageTimes": "types",
    "Track": "types",
    "UsageError": "errors",
    "open_detector": "detectors",
    "open_source": "sources",
    "shipped_model": "models",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
