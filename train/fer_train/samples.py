"""Labelled faces in a file: what a run folder keeps of its data."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from fer_edge import files, preprocessing
from fer_edge.errors import DataError
from fer_edge.metadata import InputSpec
from fer_train.datasets import Split


def write(path: Path, split: Split, spec: InputSpec) -> None:
    """Keep faces as the model will see them but for its own enlarging: [N, side, side] uint8."""
    faces = np.stack([preprocessing.standardize(face, spec) for face in split.faces])
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, faces=faces, labels=split.labels)


def read(path: Path, labels: tuple[str, ...]) -> Split:
    """Read what `write` wrote.

    Raises:
        DataError: The file is missing or damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            faces, numbers = arrays["faces"], arrays["labels"]
    except (OSError, ValueError, KeyError, EOFError, SyntaxError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}; train again") from error
    if (
        faces.ndim != 3
        or faces.dtype != np.uint8
        or len(faces) != len(numbers)
        or not np.isin(numbers, range(len(labels))).all()
    ):
        raise DataError(f"{path} does not hold labelled faces; train again")
    return Split(tuple(faces), numbers.astype(np.int64))


def draw(split: Split, size: int, seed: int) -> Split:
    """Take faces from every class in its share, at least one each; all of them where there are no more than `size`."""
    if len(split) <= size:
        return split
    random = np.random.default_rng(seed)
    chosen: list[int] = []
    for label in np.unique(split.labels):
        members = np.flatnonzero(split.labels == label)
        share = max(1, round(size * len(members) / len(split)))
        chosen.extend(random.choice(members, share, replace=False).tolist())
    chosen.sort()
    return split.take(np.array(chosen))
