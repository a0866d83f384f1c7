"""Labelled faces in a file: what a run folder keeps of its data."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_edge import files, preprocessing
from fer_edge.errors import DataError
from fer_edge.metadata import InputSpec
from fer_train.datasets import Split

CALIBRATION_SIZE = 500
HELD_OUT_SIZE = 5_000


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
    except (OSError, ValueError, KeyError, EOFError, SyntaxError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}; train again") from error
    if (
        faces.ndim != 3
        or faces.dtype != np.uint8
        or len(faces) != len(numbers)
        or not np.isin(numbers, range(len(labels))).all()
    ):
        raise DataError(f"{path} does not hold labelled faces; train again")
    if not len(faces):
        raise DataError(f"{path} holds no face; train again")
    return Split(tuple(faces), numbers.astype(np.int64))


def draw(split: Split, size: int, seed: int) -> Split:
    """Take faces from every class in its share, at least one each; all of them where there are no more than `size`.

    Args:
        split: What to take from.
        size: Faces to take, at least as many as there are classes.
        seed: Another seed, other faces of each class.
    """
    if len(split) <= size:
        return split
    random = np.random.default_rng(seed)
    classes, counts = np.unique(split.labels, return_counts=True)
    chosen: list[int] = []
    for label, share in zip(classes, _shares(counts, size), strict=True):
        members = np.flatnonzero(split.labels == label)
        chosen.extend(random.choice(members, share, replace=False).tolist())
    chosen.sort()
    return split.take(np.array(chosen))


def _shares(counts: npt.NDArray[np.integer], size: int) -> npt.NDArray[np.int64]:
    """Divide `size` among classes by their counts, at least 1 each, by the largest remainders."""
    quotas = counts * size / counts.sum()
    shares: npt.NDArray[np.int64] = np.maximum(1, quotas.astype(np.int64))
    while shares.sum() < size:
        shares[np.argmax(quotas - shares)] += 1
    while shares.sum() > size and shares.max() > 1:
        shares[np.argmax(np.where(shares > 1, shares - quotas, -np.inf))] -= 1
    return shares
