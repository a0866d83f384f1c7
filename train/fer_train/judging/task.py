"""What models are judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_train.datasets import Dataset, Split, defects
from fer_train.judging.judgement import Judgement
from fer_train.judging.metrics import judge

TRAIN = "train"


@dataclass(frozen=True)
class Task:
    """A split with the labels that a model knows.

    Attributes:
        data: Name of the data set.
        name: Name of the split.
        split: The images of those labels.
        labels: Names by number.
        leaked: [N] bool, images that the training split has as well; None for the training split itself.
    """

    data: str
    name: str
    split: Split
    labels: tuple[str, ...]
    leaked: npt.NDArray[np.bool_] | None

    def judge(self, probabilities: npt.NDArray[np.float32]) -> Judgement:
        """Judge [N, C] float32 probabilities of these images, columns in the order of `labels`."""
        return judge(self.name, probabilities, self.split.labels, self.labels, self.leaked)


def task(data: Dataset, labels: tuple[str, ...], split: str | None) -> Task:
    """Choose what to judge on.

    Args:
        data: Any data that has the labels; other images are left out.
        labels: What the model tells apart, in its order.
        split: Name of the split; None for the one that models are selected on.

    Raises:
        UsageError: The data lacks a label or the split.
        DataError: No split is named, and there are training images only.
    """
    name = split or data.selection_split()
    if labels != data.labels:
        data = data.subset(labels)
    return Task(
        data=data.name,
        name=name,
        split=data.split(name),
        labels=labels,
        leaked=None if name == TRAIN else defects.leaked(data, name),
    )
