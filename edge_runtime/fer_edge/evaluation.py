"""How often a model is right: the one definition of accuracy for training, conversion and measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import comb, sqrt

import msgspec
import numpy as np
import numpy.typing as npt

from fer_edge import preprocessing
from fer_edge.classifier import Classifier
from fer_edge.metadata import Accuracy

_Z95 = 1.959963984540054  # the normal distribution's 97.5 % point


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """Two models judged on the same images.

    Attributes:
        only_first: Images that the first alone names rightly.
        only_second: Images that the second alone names rightly.
        total: Images in all.
        gain: Accuracy of the second less that of the first, -1..1.
        low: Lower end of the 95 % interval of the gain (Agresti and Min 2005).
        high: Its upper end.
        p_value: Of the exact McNemar test (McNemar 1947): how often equally good models would differ so much or more.
    """

    only_first: int
    only_second: int
    total: int
    gain: float
    low: float
    high: float
    p_value: float


def paired(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> Paired:
    """Compare two models on the same images, which tells smaller differences apart than two intervals do.

    Args:
        first: [N] whether the first model is right, N at least 1.
        second: [N] the same of the second.
    """
    lost, won, total = int(np.sum(first & ~second)), int(np.sum(second & ~first)), len(first)
    # Agresti and Min add half an image to each of the four cells: the interval holds where few images differ, too.
    b, c, n = lost + 0.5, won + 0.5, total + 2
    middle, half = (c - b) / n, _Z95 * sqrt((b + c) - (c - b) ** 2 / n) / n
    differing = lost + won
    tail = sum(comb(differing, k) for k in range(min(lost, won) + 1))
    return Paired(
        only_first=lost,
        only_second=won,
        total=total,
        gain=(won - lost) / total,
        low=max(-1.0, middle - half),
        high=min(1.0, middle + half),
        p_value=min(1.0, 2 * tail / 2**differing),
    )


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


def balanced_accuracy(found: Mapping[str, float | None]) -> float:
    """Give the mean recall of the classes that occur, 0..1; `found` is from `recalls`."""
    return float(np.mean([recall for recall in found.values() if recall is not None]))


def confusion(
    predicted: npt.NDArray[np.integer], labels: npt.NDArray[np.integer], classes: int
) -> tuple[tuple[int, ...], ...]:
    """Count predictions: row number t, column number p holds how often class t was called p."""
    cells = np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)
    return tuple(tuple(row) for row in cells.tolist())


def macro_f1(cells: Sequence[Sequence[int]]) -> float:
    """Give the mean F1 of the classes that occur, 0..1.

    Args:
        cells: From `confusion`.
    """
    counts = np.asarray(cells)
    right, there, answered = counts.diagonal(), counts.sum(axis=1), counts.sum(axis=0)
    occurs = there > 0
    return float(np.mean(2 * right[occurs] / (there + answered)[occurs]))


def predict(
    classifier: Classifier,
    faces: Sequence[preprocessing.Pixels] | preprocessing.Pixels,
    step: Callable[[], object] = lambda: None,
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
