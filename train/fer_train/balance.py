"""What is done about rare classes: nothing, weights in the loss, or showing their faces more often."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def order(labels: npt.NDArray[np.int64], balance: str) -> npt.NDArray[np.int64]:
    """Give the numbers of the faces that an epoch shows.

    Args:
        labels: [N] class numbers.
        balance: With "oversample" the faces of each class are repeated, in turn, up to the largest class's number.

    Returns:
        [M] numbers of faces; M is N but for "oversample".
    """
    if balance != "oversample":
        return np.arange(len(labels))
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    largest = max(map(len, members))
    return np.concatenate([np.resize(same, largest) for same in members])


def weights(labels: npt.NDArray[np.int64], classes: int, balance: str) -> npt.NDArray[np.float32] | None:
    """Give the weight of each class in the loss: N / (number of classes * faces of the class), 1 on average.

    Args:
        labels: [N] class numbers.
        classes: Number of classes, those without a face included; such a class has the weight 0.
        balance: None is given for anything but "class-weight".

    Returns:
        [classes] float32, or None.
    """
    if balance != "class-weight":
        return None
    counts = np.bincount(labels, minlength=classes)
    return np.where(counts > 0, len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 0).astype(np.float32)
