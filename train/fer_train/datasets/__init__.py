"""Labelled faces from the forms that users have them in, read with NumPy and OpenCV alone.

`load` looks at the path and picks the reader: a Kaggle FER2013 CSV, or folders of images.
"""

from __future__ import annotations

from pathlib import Path

from fer_edge import files
from fer_edge.errors import UsageError
from fer_train.datasets import defects, fer2013_csv, image_folders
from fer_train.datasets.dataset import Dataset, Split

__all__ = ["Dataset", "Split", "load"]


def load(path: Path, *, labels: tuple[str, ...] | None = None, drop_duplicates: bool = False) -> Dataset:
    """Read a data set whole into memory.

    Args:
        path: A `fer2013.csv`, or a folder with `train/CLASS/*` and `test/CLASS/*`.
        labels: Keep these alone, numbered in this order.
        drop_duplicates: Leave out of training what occurs in the other splits.

    Returns:
        The data set; files that were skipped are named in it.

    Raises:
        UsageError: There is nothing at the path, or the labels cannot be meant.
        DataError: What is there cannot be read, with the row or file at fault.
    """
    kind = files.kind(path)
    if kind == "nothing":
        raise UsageError(f"no data at {path}: give a FER2013 CSV file or a folder with train/CLASS/ and test/CLASS/")
    data = (image_folders if kind == "folder" else fer2013_csv).read(path)
    if labels is not None:
        data = data.subset(labels)
    return defects.without_leaks(data) if drop_duplicates else data
