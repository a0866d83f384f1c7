"""Confidence that means what it says: one temperature for all scores, folded into the last layer.

Source: Guo et al. 2017, arXiv:1706.04599.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fer_edge import reliability
from fer_edge.errors import FerError

# The dense layer that every architecture ends in, before the softmax.
SCORES = "scores"
# Beyond these a model says nothing, or has seen its split in training: no temperature makes it honest.
COLDEST, HOTTEST = 0.1, 10.0
_HALVINGS = 60
_SMALLEST = np.finfo(np.float32).tiny

Rows = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


class Half(msgspec.Struct, frozen=True, kw_only=True):
    """One half of a split, judged by the temperature of the other.

    Attributes:
        images: In this half.
        temperature: Found on the other half.
        error: Expected calibration error of this half at that temperature, 0..1.
    """

    images: int
    temperature: float
    error: float


class Confidence(msgspec.Struct, frozen=True, kw_only=True):
    """How a model's confidence was made to mean what it says.

    Attributes:
        split: Name of the split that the temperature was found on.
        images: In it.
        temperature: What the scores were divided by, `COLDEST`..`HOTTEST`.
        error_before: Expected calibration error of the model as it was trained, 0..1.
        error: The same after, on the split that the temperature was chosen on: it leans to the optimistic side.
        cross_fitted_error: The same where each half of the split has the temperature of the other half; None for a
            split too small to be halved.
        halves: Each half by itself, with the error of fewer images, which is larger by chance; empty for such a split.
    """

    split: str
    images: int
    temperature: float
    error_before: float
    error: float
    cross_fitted_error: float | None
    halves: tuple[Half, ...]


def scaled(probabilities: Rows, temperature: float) -> Rows:
    """Give the softmax of the scores divided by a temperature; the scores are the probabilities' logarithms.

    Args:
        probabilities: [N, C] float32, 0..1, each row summing to 1.
        temperature: More than 0.

    Returns:
        [N, C] float32.
    """
    scores = _scores(probabilities) / temperature
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def best_temperature(probabilities: Rows, labels: Labels) -> float:
    """Find the temperature of the least negative log-likelihood, within `COLDEST`..`HOTTEST`.

    The likelihood is convex in 1/T, so its slope has one root at most, which halving an interval finds.

    Args:
        probabilities: [N, C] float32, 0..1, each row summing to 1; N is at least 1.
        labels: [N] true classes, 0..C-1.
    """
    scores = _scores(probabilities)
    scores -= scores.max(axis=1, keepdims=True)
    of_the_truth = scores[np.arange(len(labels)), labels].mean()

    def slope(sharpness: float) -> float:
        powers = np.exp(sharpness * scores)
        expected = (powers * scores).sum(axis=1) / powers.sum(axis=1)
        return float(expected.mean() - of_the_truth)

    low, high = 1 / HOTTEST, 1 / COLDEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)


def measure(split: str, probabilities: Rows, labels: Labels, seed: int) -> Confidence:
    """Find the temperature of a model, and what it does to the calibration error.

    Args:
        split: Name of the split that the labels come from.
        probabilities: [N, C] float32, 0..1, each row summing to 1, of the model as it was trained; N is at least 1.
        labels: [N] true classes, 0..C-1.
        seed: Of the halves.
    """
    temperature = best_temperature(probabilities, labels)
    halves, crossed = [], probabilities.copy()
    parts = _halve(labels, seed)
    if len(labels) > 1:
        for mine, other in (parts, parts[::-1]):
            theirs = best_temperature(probabilities[other], labels[other])
            crossed[mine] = scaled(probabilities[mine], theirs)
            error = _error(crossed[mine], labels[mine])
            halves.append(Half(images=len(mine), temperature=theirs, error=error))
    return Confidence(
        split=split,
        images=len(labels),
        temperature=temperature,
        error_before=_error(probabilities, labels),
        error=_error(scaled(probabilities, temperature), labels),
        cross_fitted_error=_error(crossed, labels) if halves else None,
        halves=tuple(halves),
    )


def fold(model: Any, temperature: float) -> None:
    """Divide a model's scores by a temperature, in the weights of its last dense layer: it costs nothing at run time.

    Args:
        model: Of `architectures.build`, changed in place.
        temperature: More than 0.

    Raises:
        FerError: The model does not end in such a layer.
    """
    layer = next((layer for layer in model.layers if layer.name == SCORES), None)
    if layer is None or layer.get_config().get("activation") != "linear":
        raise FerError(f"the model has no dense layer {SCORES!r} before its softmax: no temperature can be put into it")
    layer.set_weights([weights / temperature for weights in layer.get_weights()])


def sentence(found: Confidence | None) -> str:
    """Say how honest the confidence is, for the model card and the terminal."""
    if found is None:
        return "Confidence is not calibrated."
    crossed = found.cross_fitted_error
    return (
        f"Confidence is calibrated: the scores are divided by {found.temperature:.3f}, which is in the last layer's "
        f"weights. That takes the expected calibration error on {found.split} from {100 * found.error_before:.1f} % to "
        f"{100 * found.error:.1f} %"
        + (
            "."
            if crossed is None
            else f"; {100 * crossed:.1f} % where each half has the temperature of the other half."
        )
    )


def _scores(probabilities: Rows) -> npt.NDArray[np.float64]:
    scores: npt.NDArray[np.float64] = np.log(np.maximum(probabilities, _SMALLEST).astype(np.float64))
    return scores


def _error(probabilities: Rows, labels: Labels) -> float:
    return reliability.calibration_error(reliability.bins(probabilities, labels))


def _halve(labels: Labels, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Divide images into two halves with the same share of each class."""
    drawn = np.random.default_rng(seed).permutation(len(labels))
    by_class = drawn[np.argsort(labels[drawn], kind="stable")]
    return by_class[::2], by_class[1::2]
