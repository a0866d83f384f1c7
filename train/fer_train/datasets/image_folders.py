"""Folders of images, named as the classes of FER2013: `train/CLASS/*` and `test/CLASS/*`, or `CLASS/*` alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fer_edge.errors import DataError, FerError
from fer_edge.images import read_gray
from fer_edge.labels import EXPRESSIONS
from fer_train.datasets.dataset import Dataset, Split
from fer_train.datasets.faces_on_disk import Gathering, Place

SPLITS = ("train", "test")


def read(path: Path, memory: int) -> Dataset:
    """Read the folders; images that do not decode are skipped and named in the result.

    Args:
        path: The folder. Where the classes lie in it directly, all is given as "train".
        memory: Bytes of pixels to keep; where there are more, the faces stay on disk.

    Raises:
        DataError: A split is missing or holds no image that decodes, or a class is unknown.
    """
    missing = [split for split in SPLITS if not (path / split).is_dir()]
    if len(missing) == len(SPLITS) and any(folder.name.lower() in EXPRESSIONS for folder in _folders(path)):
        roots = {"train": path}
    elif missing:
        raise DataError(
            f"{path} has no folder {' and no folder '.join(missing)}: expected train/CLASS/ and test/CLASS/, or "
            f"folders of the classes {', '.join(EXPRESSIONS)}"
        )
    else:
        roots = {split: path / split for split in SPLITS}
    found, skipped = Gathering(memory), list[str]()
    labels: list[int] = []
    names: list[str] = []
    for split, root in roots.items():
        labels += _gather(root, found, skipped)
        if len(labels) == len(names):
            raise DataError(f"{root} holds no image that can be read")
        names += [split] * (len(labels) - len(names))
    whole = Split(found.faces(), np.asarray(labels, np.int64))
    return Dataset(
        name=path.resolve().name,
        labels=EXPRESSIONS,
        splits=whole.divided(names, SPLITS),
        skipped=tuple(skipped),
    )


def _gather(path: Path, found: Gathering, skipped: list[str]) -> list[int]:
    """Gather the faces of one split, and give their labels."""
    folders: dict[str, Path] = {}
    for folder in _folders(path):
        if folders.setdefault(folder.name.lower(), folder) != folder:
            raise DataError(f"{path} has the class {folder.name.lower()} in two spellings: put them into one folder")
    if unknown := [folder.name for name, folder in folders.items() if name not in EXPRESSIONS]:
        raise DataError(f"{path} has unknown classes {', '.join(unknown)}; the known are {', '.join(EXPRESSIONS)}")
    labels: list[int] = []
    for number, label in enumerate(EXPRESSIONS):
        for file in _inside(folders[label]) if label in folders else ():
            try:
                found.add(Place(file), read_gray(file))
            except FerError as error:
                skipped.append(str(error))
                continue
            labels.append(number)
    return labels


def _folders(path: Path) -> list[Path]:
    return [folder for folder in _inside(path) if folder.is_dir()]


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror or error}") from error
