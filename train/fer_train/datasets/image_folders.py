"""Folders of images: `train/CLASS/*` and `test/CLASS/*`, classes named as in FER2013."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_edge.errors import DataError, FerError
from fer_edge.images import read_gray
from fer_edge.labels import EXPRESSIONS
from fer_edge.preprocessing import Pixels
from fer_train.datasets.dataset import Dataset, Split

SPLITS = ("train", "test")


def read(path: Path) -> Dataset:
    """Read the folders; images that do not decode are skipped and named in the result.

    Raises:
        DataError: A split or class folder is missing, unknown, or holds no image that decodes.
    """
    missing = [split for split in SPLITS if not (path / split).is_dir()]
    if missing:
        raise DataError(
            f"{path} has no folder {' and no folder '.join(missing)}: expected train/CLASS/ and test/CLASS/"
        )
    skipped: list[str] = []
    return Dataset(
        name=path.resolve().name,
        labels=EXPRESSIONS,
        splits={split: _read_split(path / split, skipped) for split in SPLITS},
        skipped=tuple(skipped),
    )


def _read_split(path: Path, skipped: list[str]) -> Split:
    folders: dict[str, Path] = {}
    for folder in _inside(path):
        if folder.is_dir() and folders.setdefault(folder.name.lower(), folder) != folder:
            raise DataError(f"{path} has the class {folder.name.lower()} in two spellings: put them into one folder")
    if unknown := [folder.name for name, folder in folders.items() if name not in EXPRESSIONS]:
        raise DataError(f"{path} has unknown classes {', '.join(unknown)}; the known are {', '.join(EXPRESSIONS)}")
    if absent := [label for label in EXPRESSIONS if label not in folders]:
        raise DataError(f"{path} has no folder for {', '.join(absent)}")
    faces: list[Pixels] = []
    labels: list[int] = []
    for number, label in enumerate(EXPRESSIONS):
        before = len(faces)
        for file in _inside(folders[label]):
            try:
                faces.append(read_gray(file))
            except FerError as error:
                skipped.append(str(error))
                continue
            labels.append(number)
        if len(faces) == before:
            raise DataError(f"{folders[label]} holds no image that can be read")
    return Split(tuple(faces), np.asarray(labels, np.int64))


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror or error}") from error
