"""Facial-expression recognition on the device: camera, face, expression, without TensorFlow.

Example:
    >>> from pathlib import Path
    >>> from fer_edge import Classifier, open_detector, shipped_model
    >>> classifier = Classifier.load(shipped_model())
    >>> for box in open_detector("haar").detect(gray):
    ...     print(classifier.classify(gray, box))
"""

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
