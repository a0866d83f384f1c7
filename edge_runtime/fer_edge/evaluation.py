"""How often a model is right: the one definition of accuracy for training, conversion and measurement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt

import numpy as np
import numpy.typing as npt

from fer_edge import preprocessing
from fer_edge.classifier import Classifier
from fer_edge.metadata import Accuracy

_Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """Give the 95 % score interval of a proportion (Wilson 1927), exact at 0 and at `total`.

    Args:
        correct: Successes, 0..total.
        total: Trials, at least 1.

    Returns:
        Lower and upper end, 0..1.
    """
    share, z2 = correct / total, _Z95 * _Z95
    centre = share + z2 / (2 * total)
    half = _Z95 * sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    scale = 1 + z2 / total
    low = 0.0 if correct == 0 else (centre - half) / scale
    high = 1.0 if correct == total else (centre + half) / scale
    return low, high


def accuracy(split: str, predicted: npt.NDArray[np.integer], labels: npt.NDArray[np.integer]) -> Accuracy:
    """Count right answers.

    Args:
        split: Name of the split that the labels come from.
        predicted: [N] class numbers.
        labels: [N] class numbers.
    """
    correct, total = int(np.count_nonzero(predicted == labels)), len(labels)
    low, high = wilson_interval(correct, total)
    return Accuracy(split=split, correct=correct, total=total, low=low, high=high)


def recalls(
    predicted: npt.NDArray[np.integer], labels: npt.NDArray[np.integer], names: Sequence[str]
) -> dict[str, float | None]:
    """Give each class's recall 0..1, None for a class that does not occur."""
    return {
        name: float(np.mean(predicted[labels == number] == number)) if np.any(labels == number) else None
        for number, name in enumerate(names)
    }


def confusion(
    predicted: npt.NDArray[np.integer], labels: npt.NDArray[np.integer], classes: int
) -> tuple[tuple[int, ...], ...]:
    """Count predictions: row number t, column number p holds how often class t was called p."""
    cells = np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)
    return tuple(tuple(row) for row in cells.tolist())


def predict(
    classifier: Classifier,
    faces: Sequence[preprocessing.Pixels] | preprocessing.Pixels,
    step: Callable[[], None] = lambda: None,
) -> npt.NDArray[np.float32]:
    """Classify pictures that are faces already, as the device would.

    Args:
        classifier: The model.
        faces: N pictures, [H, W] uint8 each.
        step: Called after each face, for a progress bar.

    Returns:
        [N, labels] float32 probabilities.
    """
    spec = classifier.metadata.input
    rows = np.empty((len(faces), len(classifier.metadata.labels)), np.float32)
    for number, face in enumerate(faces):
        rows[number] = classifier.probabilities(preprocessing.fit_face(face, spec))
        step()
    return rows
