"""What is wrong with a data set, counted by identical pixels."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from fer_edge.preprocessing import Pixels
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
        for face, label in zip(split.faces, split.labels.tolist(), strict=True):
            places[_key(face)].append(_Place(name, label))
            blank += int(face.min() == face.max())
    repeated = [same for same in places.values() if len(same) > 1]
    conflicting = [same for same in repeated if len({place.label for place in same}) > 1]
    in_train = {key for key, same in places.items() if any(place.split == "train" for place in same)}
    return Defects(
        images=sum(len(split) for split in data.splits.values()),
        unique=len(places),
        duplicate_groups=len(repeated),
        duplicate_images=sum(map(len, repeated)),
        conflicting_groups=len(conflicting),
        conflicting_images=sum(map(len, conflicting)),
        blank=blank,
        unique_train=len(in_train),
        leaked={
            name: sum(place.split == name for key in in_train for place in places[key])
            for name in data.splits
            if name != "train"
        },
    )


def without_leaks(data: Dataset) -> Dataset:
    """Leave out of the training split what occurs in any other split, whatever its label."""
    elsewhere = {_key(face) for name, split in data.splits.items() if name != "train" for face in split.faces}
    train = data.splits["train"]
    kept = np.array([_key(face) not in elsewhere for face in train.faces], bool)
    splits: Mapping[str, Split] = {**data.splits, "train": train.take(np.flatnonzero(kept))}
    return replace(data, splits=splits)


def _key(face: Pixels) -> bytes:
    return hashlib.sha256(repr(face.shape).encode() + np.ascontiguousarray(face).tobytes()).digest()
