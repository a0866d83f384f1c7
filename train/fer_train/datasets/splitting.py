"""Splits for data that comes without: drawn by class and seed, with equal images on one side."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import replace

import numpy as np

from fer_edge.errors import DataError
from fer_train.datasets.dataset import Dataset

TEST_SHARE = 0.2


def split(data: Dataset, seed: int) -> Dataset:
    """Divide the training split, the only one there is, into "train" and "test".

    `TEST_SHARE` of each class goes to "test". Images with equal pixels stay together, so nothing leaks; those that
    occur with different labels stay in "train", where they judge nobody. Which images are drawn depends on pixels and
    seed alone: neither names nor order nor other classes matter.

    Args:
        data: With a "train" split and no other.
        seed: Another seed, another draw.

    Raises:
        DataError: A class has too few different images to have one on both sides.
    """
    whole = data.split("train")
    groups: defaultdict[bytes, list[int]] = defaultdict(list)
    for number, look in enumerate(whole.looks):
        groups[look.digest].append(number)
    in_order = [groups[digest] for digest in sorted(groups, key=lambda digest: _draw(digest, seed))]
    in_test = np.zeros(len(whole), bool)
    for label, name in enumerate(data.labels):
        size = int(np.count_nonzero(whole.labels == label))
        own = [group for group in in_order if all(whole.labels[number] == label for number in group)]
        chosen = _share(own, max(1, round(TEST_SHARE * size)))
        if size and (not chosen or len(chosen) == size):
            raise DataError(
                f"{data.name} has too few different images of {name} to divide them into train and test: add some, or "
                "name the labels to use with --labels"
            )
        in_test[chosen] = True
    splits = whole.divided(np.where(in_test, "test", "train").tolist(), ("train", "test"))
    note = (
        f"no split in the data: {len(splits['test']):,} of {len(whole):,} images, drawn by class with seed {seed}, "
        "are the test split"
    )
    return replace(data, splits=splits, notes=(*data.notes, note))


def _draw(digest: bytes, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} ".encode() + digest).digest()


def _share(groups: list[list[int]], size: int) -> list[int]:
    """Take groups while no more than `size` images come together, or else the smallest group."""
    chosen: list[int] = []
    for group in groups:
        if len(chosen) + len(group) <= size:
            chosen += group
    return chosen or min(groups, key=len, default=[])
