"""Whether a model's confidence means what it says: reliability diagram and expected calibration error.

Source: Guo et al. 2017, arXiv:1706.04599.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

BINS = 15


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """Answers of about the same confidence, the confidence being the probability of the class answered.

    Attributes:
        low: The confidence is above this, 0..1.
        high: The confidence is at most this, 0..1.
        images: Number of answers.
        confidence: Their mean confidence; None without any.
        accuracy: Share of them that are right; None without any.
    """

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None


def bins(probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.integer]) -> tuple[Bin, ...]:
    """Sort answers by confidence into `BINS` bins of equal width.

    Args:
        probabilities: [N, C] float32, 0..1, each row summing to 1.
        labels: [N] true classes, 0..C-1.
    """
    confidences, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, BINS + 1)
    members = np.digitize(confidences, edges[1:-1], right=True)
    found = []
    for number in range(BINS):
        inside = members == number
        some = bool(inside.any())
        found.append(
            Bin(
                low=float(edges[number]),
                high=float(edges[number + 1]),
                images=int(np.count_nonzero(inside)),
                confidence=float(confidences[inside].mean(dtype=np.float64)) if some else None,
                accuracy=float(right[inside].mean()) if some else None,
            )
        )
    return tuple(found)


def calibration_error(found: Sequence[Bin]) -> float:
    """Give the expected calibration error of some bins, 0..1: how far confidence and accuracy part in the mean."""
    gaps = [
        one.images * abs(one.confidence - one.accuracy)
        for one in found
        if one.confidence is not None and one.accuracy is not None
    ]
    return sum(gaps) / sum(one.images for one in found)
