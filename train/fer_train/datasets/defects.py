"""What is wrong with a data set, counted by identical pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt

from fer_train.datasets.dataset import Dataset, Split


class Defects(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over all splits; two pictures are the same where shape and every pixel are equal.

    Attributes:
        images: Pictures in all.
        unique: Different pictures among them.
        duplicate_groups: Pictures that occur more than once.
        duplicate_images: How often those occur, all together.
        conflicting_groups: Pictures that occur with more than one label.
        conflicting_images: How often those occur, all together.
        blank: Pictures in which all pixels are equal.
        unique_train: Different pictures in the training split.
        leaked: By split, pictures that the training split has as well.
    """

    images: int
    unique: int
    duplicate_groups: int
    duplicate_images: int
    conflicting_groups: int
    conflicting_images: int
    blank: int
    unique_train: int
    leaked: dict[str, int]


@dataclass(frozen=True)
class _Place:
    split: str
    label: int


def find(data: Dataset) -> Defects:
    """Count the defects of a data set."""
    places: defaultdict[bytes, list[_Place]] = defaultdict(list)
    blank = 0
    for name, split in data.splits.items():
        for look, label in zip(split.looks, split.labels.tolist(), strict=True):
            places[look.digest].append(_Place(name, label))
            blank += look.blank
    repeated = [same for same in places.values() if len(same) > 1]
    conflicting = [same for same in repeated if len({place.label for place in same}) > 1]
    return Defects(
        images=sum(len(split) for split in data.splits.values()),
        unique=len(places),
        duplicate_groups=len(repeated),
        duplicate_images=sum(map(len, repeated)),
        conflicting_groups=len(conflicting),
        conflicting_images=sum(map(len, conflicting)),
        blank=blank,
        unique_train=len(_digests(data.splits["train"])),
        leaked={name: int(leaked(data, name).sum()) for name in data.splits if name != "train"},
    )


def leaked(data: Dataset, split: str) -> npt.NDArray[np.bool_]:
    """Tell which images of a split occur in the training split as well, whatever their label: [N] bool.

    Raises:
        UsageError: The data has no split of that name.
    """
    return _within(data.split(split), _digests(data.split("train")))


def without_leaks(data: Dataset) -> Dataset:
    """Leave out of the training split what occurs in any other split, whatever its label."""
    elsewhere = _digests(*(split for name, split in data.splits.items() if name != "train"))
    train = data.splits["train"]
    splits: Mapping[str, Split] = {**data.splits, "train": train.take(np.flatnonzero(~_within(train, elsewhere)))}
    return replace(data, splits=splits)


def _digests(*splits: Split) -> set[bytes]:
    return {look.digest for split in splits for look in split.looks}


def _within(split: Split, digests: set[bytes]) -> npt.NDArray[np.bool_]:
    return np.array([look.digest in digests for look in split.looks], bool)
