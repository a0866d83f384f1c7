"""Labelled faces from the forms that users have them in, read with NumPy and OpenCV alone.

`load` looks at the path and picks the reader: a Kaggle FER2013 CSV, folders of images, or ExpW.
"""

from __future__ import annotations

from pathlib import Path

from fer_edge import files
from fer_edge.errors import DataError, UsageError
from fer_train.datasets import defects, expw, fer2013_csv, image_folders, splitting
from fer_train.datasets.dataset import Dataset, Split
from fer_train.datasets.ferplus import FerPlus

__all__ = ["MEMORY", "Dataset", "FerPlus", "Split", "load"]

MEMORY = 2 * 1024**3


def load(
    path: Path,
    *,
    labels: tuple[str, ...] | None = None,
    drop_duplicates: bool = False,
    ferplus: FerPlus = "none",
    seed: int = 1,
    memory: int = MEMORY,
) -> Dataset:
    """Read a data set; where it has a training split alone, a fifth of that becomes the split "test".

    Args:
        path: A `fer2013.csv`; a folder with `train/CLASS/*` and `test/CLASS/*`, or with `CLASS/*`; ExpW's folder or
            `label.lst`.
        labels: Keep these alone, numbered in this order.
        drop_duplicates: Leave out of training what occurs in the other splits.
        ferplus: How FER+ votes beside a `fer2013.csv` replace its labels: "none" not at all, "majority" by what most
            voted for, "soft" by the shares of the votes.
        seed: Of the draw, where a split is made.
        memory: Bytes of pixels to hold; faces of folders and of ExpW that need more stay on disk.

    Returns:
        The data set, with at least one image a class in "train" and, if there is one, "test"; files that were skipped
        are named in it.

    Raises:
        UsageError: There is nothing at the path, or the labels or FER+ cannot be meant.
        DataError: What is there cannot be read, with the row or file at fault, or a class has no image.
    """
    data = _read(path, ferplus, memory)
    if labels is not None:
        data = data.subset(labels)
    _check_classes(path, data)
    if list(data.splits) == ["train"]:
        data = splitting.split(data, seed)
    if drop_duplicates:
        data = defects.without_leaks(data)
        _check_classes(path, data)
    return data


def _read(path: Path, votes: FerPlus, memory: int) -> Dataset:
    kind = files.kind(path)
    if kind == "nothing":
        raise UsageError(
            f"no data at {path}: give a FER2013 CSV file or a folder with train/CLASS/ and test/CLASS/, with CLASS/, "
            f"or with ExpW's {expw.LIST}"
        )
    listed = expw.find_list(path)
    if kind == "file" and listed is None:
        return fer2013_csv.read(path, votes=votes)
    if votes != "none":
        raise UsageError(f"FER+ has votes for fer2013.csv, not for {path}")
    return image_folders.read(path, memory) if listed is None else expw.read(listed, memory)


def _check_classes(path: Path, data: Dataset) -> None:
    if sum(map(len, data.splits.values())) == 1:
        raise DataError(f"{path} has one image in all: nothing can be learned from it")
    # FER2013's own splits to judge on are taken as they are.
    for split in ("train", "test"):
        counts = data.counts().get(split, {})
        if empty := [label for label, count in counts.items() if not count]:
            skipped = f" ({len(data.skipped)} files were skipped; the first: {data.skipped[0]})" if data.skipped else ""
            raise DataError(
                f"{path} has no image of {', '.join(empty)} in {split}: add some, or name the labels to use with "
                f"--labels{skipped}"
            )
