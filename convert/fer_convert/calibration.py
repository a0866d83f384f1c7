"""The training faces from which a converter takes the ranges of activations."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from fer_edge.errors import DataError, UsageError
from fer_train import samples
from fer_train.datasets import Split


class CalibrationInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a report tells of a calibration.

    Attributes:
        data: Name of the data; the faces are of its training split.
        size: Number of faces.
        seed: Of their draw, by class.
        counts: Faces by label.
    """

    data: str
    size: int
    seed: int
    counts: dict[str, int]


@dataclass(frozen=True)
class Calibration:
    """Faces to calibrate with.

    Attributes:
        faces: Of the training split, each class in its share.
        info: What they are.
    """

    faces: Split
    info: CalibrationInfo

    def check(self) -> None:
        """Refuse faces from which no ranges can be learned.

        Raises:
            DataError: There is none, or all are of one class.
        """
        present = [label for label, count in self.info.counts.items() if count]
        if len(present) < 2:
            found = f"of {present[0]} alone" if present else "none"
            raise DataError(
                f"the faces of {self.info.data} to calibrate with are {found}: the ranges of a model need faces of "
                "several expressions; give data that has them"
            )


def draw(split: Split, labels: tuple[str, ...], size: int | None, *, data: str, seed: int) -> Calibration:
    """Draw faces to calibrate with, each class in its share.

    Args:
        split: Training faces.
        labels: Names of the classes by number.
        size: Faces to draw; all of them without it.
        data: Name of the data.
        seed: Of the draw.

    Raises:
        UsageError: There are fewer faces than that, or it is fewer than the classes.
    """
    if size is not None and size < len(labels):
        raise UsageError(f"--calibration {size} is fewer than the {len(labels)} labels: take at least one face of each")
    if size is not None and size > len(split):
        raise UsageError(f"--calibration {size} is more than the {len(split)} faces of {data} to calibrate with")
    faces = split if size is None else samples.draw(split, size, seed)
    counts = dict(zip(labels, np.bincount(faces.labels, minlength=len(labels)).tolist(), strict=True))
    return Calibration(faces, CalibrationInfo(data=data, size=len(faces), seed=seed, counts=counts))
