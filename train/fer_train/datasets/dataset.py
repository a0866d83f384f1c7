"""What a reader gives: splits of grey faces with labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fer_edge.errors import DataError, UsageError
from fer_edge.preprocessing import Pixels
from fer_train.datasets.faces_on_disk import FacesOnDisk, Look

# Splits to select on, in order of preference; "private" is for one last look and never among them.
SELECTION_SPLITS = ("public", "test")


@dataclass(frozen=True)
class Split:
    """Faces and their labels.

    Attributes:
        faces: N pictures, [H, W] uint8 each, the face filling the picture: a tuple, or decoded one by one when asked
            for, where all together do not fit into memory.
        labels: [N] int64, numbers into the data set's labels.
        targets: [N, classes] float32 shares of each class, a row's sum 1, where annotators disagree; None where the
            labels say all.
    """

    faces: Sequence[Pixels]
    labels: npt.NDArray[np.int64]
    targets: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def on_disk(self) -> bool:
        """Whether each access to a face decodes it anew."""
        return isinstance(self.faces, FacesOnDisk)

    @cached_property
    def looks(self) -> tuple[Look, ...]:
        """Digest, shape and blankness of each face; nothing is decoded for it."""
        return self.faces.looks if isinstance(self.faces, FacesOnDisk) else tuple(map(Look.at, self.faces))

    def take(self, chosen: npt.NDArray[np.integer]) -> Split:
        """Give the faces of some numbers, in their order; what is on disk stays there."""
        return Split(
            self.faces.take(chosen)
            if isinstance(self.faces, FacesOnDisk)
            else tuple(self.faces[number] for number in chosen.tolist()),
            self.labels[chosen],
            None if self.targets is None else self.targets[chosen],
        )

    def divided(self, names: Iterable[str], order: Iterable[str]) -> dict[str, Split]:
        """Divide into splits by the name of each face's split.

        Args:
            names: N names.
            order: The splits wanted, in their order; those that would be empty are left out.
        """
        given = np.array(tuple(names), object)
        numbers = {name: np.flatnonzero(given == name) for name in order}
        return {name: self.take(chosen) for name, chosen in numbers.items() if len(chosen)}


@dataclass(frozen=True)
class Dataset:
    """Splits by name.

    Attributes:
        name: For people and for the model's metadata: "FER2013", the folder's name.
        labels: Names of the classes by number.
        splits: "train", "public" and "private" of FER2013, "train" and "test" of folders; none is empty.
        skipped: Files that did not decode, each with the reason.
        notes: Lines for people: what was left out, which split was made and how.
    """

    name: str
    labels: tuple[str, ...]
    splits: Mapping[str, Split]
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def split(self, name: str) -> Split:
        """Give a split by name.

        Raises:
            UsageError: The data has none of that name.
        """
        try:
            return self.splits[name]
        except KeyError:
            raise UsageError(f"{self.name} has no split {name!r}; it has {', '.join(self.splits)}") from None

    def selection_split(self) -> str:
        """Give the name of the split that models are selected on.

        Raises:
            DataError: The data has training images only.
        """
        for name in SELECTION_SPLITS:
            if name in self.splits:
                return name
        raise DataError(f"{self.name} has no {' or '.join(SELECTION_SPLITS)} split, so nothing to judge a model on")

    def subset(self, labels: tuple[str, ...]) -> Dataset:
        """Give the images of some classes, numbered anew in the order given.

        Targets keep the shares of these classes, with the sum 1 again; an image that has none of them is left out.

        Raises:
            UsageError: A label is not known or stands twice, there are fewer than two, or a split would be empty.
        """
        if unknown := [label for label in labels if label not in self.labels]:
            raise UsageError(f"{self.name} has no label {', '.join(unknown)}; it has {', '.join(self.labels)}")
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise UsageError(f"{','.join(labels)} are not two or more different labels")
        columns = [self.labels.index(label) for label in labels]
        numbers = np.full(len(self.labels), -1, np.int64)
        numbers[columns] = range(len(columns))
        splits = {name: _subset(split, columns, numbers[split.labels]) for name, split in self.splits.items()}
        if empty := [name for name, split in splits.items() if not len(split)]:
            raise UsageError(f"the split {empty[0]} of {self.name} has no image of {', '.join(labels)}")
        return replace(self, labels=labels, splits=splits)

    def counts(self) -> dict[str, dict[str, int]]:
        """Give the number of images by split and label."""
        return {
            name: dict(zip(self.labels, np.bincount(split.labels, minlength=len(self.labels)).tolist(), strict=True))
            for name, split in self.splits.items()
        }

    def face_size(self) -> int:
        """Give the median of the training faces' shorter sides, pixels."""
        return int(np.median([min(look.shape) for look in self.splits["train"].looks]))

    def fingerprint(self) -> str:
        """Give a SHA-256 over all pixels, shapes, labels, targets and split names: equal data, equal fingerprint.

        Faces on disk are decoded once for it.
        """
        digest = hashlib.sha256()
        for name in sorted(self.splits):
            split = self.splits[name]
            digest.update(f"{name} {len(split)} {','.join(self.labels)}\n".encode())
            for face, label in zip(split.faces, split.labels, strict=True):
                digest.update(f"{face.shape} {label}\n".encode())
                digest.update(np.ascontiguousarray(face).data)
            if split.targets is not None:
                digest.update(np.ascontiguousarray(split.targets).data)
        return digest.hexdigest()


def _subset(split: Split, columns: list[int], labels: npt.NDArray[np.int64]) -> Split:
    """Keep the images whose new label is not -1, and these columns of their targets."""
    if split.targets is None:
        kept = np.flatnonzero(labels >= 0)
        return replace(split.take(kept), labels=labels[kept])
    shares = split.targets[:, columns]
    sums = shares.sum(axis=1, keepdims=True)
    kept = np.flatnonzero((labels >= 0) & (sums[:, 0] > 0))
    return replace(split.take(kept), labels=labels[kept], targets=shares[kept] / sums[kept])
