from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_edge.labels import EXPRESSIONS
from fer_train import datasets
from fer_train.datasets import Dataset, Split, defects, splitting


def data(*images: tuple[int, int], labels: tuple[str, ...] = ("happy", "sad")) -> Dataset:
    """Make pictures of (grey level, label)."""
    faces = tuple(np.full((4, 4), level, np.uint8) for level, _ in images)
    train = Split(faces, np.array([label for _, label in images], np.int64))
    return Dataset("small", labels, {"train": train}, notes=("before",))


def levels(split: Split) -> list[int]:
    return [int(face[0, 0]) for face in split.faces]


TWENTY = data(*((level, level % 2) for level in range(20)))


def test_a_fifth_of_each_class_is_drawn() -> None:
    divided = splitting.split(TWENTY, 1)
    assert divided.counts() == {"train": {"happy": 8, "sad": 8}, "test": {"happy": 2, "sad": 2}}
    train, test = map(levels, divided.splits.values())
    assert sorted(train + test) == list(range(20))
    assert (train, test) == (sorted(train), sorted(test))
    assert all(part.labels.tolist() == [level % 2 for level in levels(part)] for part in divided.splits.values())
    assert divided.notes == (
        "before",
        "no split in the data: 4 of 20 images, drawn by class with seed 1, are the test split",
    )


def test_the_seed_alone_decides() -> None:
    drawn = {seed: levels(splitting.split(TWENTY, seed).splits["test"]) for seed in range(10)}
    assert drawn == {seed: levels(splitting.split(TWENTY, seed).splits["test"]) for seed in range(10)}
    assert len({tuple(test) for test in drawn.values()}) > 5
    # Neither the order of the images nor other classes.
    turned = data(*((level, level % 2) for level in reversed(range(20))))
    alone = data(*((level, 0) for level in range(0, 20, 2)), labels=("happy",))
    for seed, test in drawn.items():
        assert sorted(levels(splitting.split(turned, seed).splits["test"])) == test
        assert levels(splitting.split(alone, seed).splits["test"]) == [level for level in test if level % 2 == 0]


@pytest.mark.parametrize("seed", range(5))
def test_equal_images_stay_on_one_side(seed: int) -> None:
    # 40 is there seven times, 41 and others twice, 50 with both labels.
    images = [(40, 0)] * 7 + [(41, 0)] * 2 + [(level, 0) for level in range(10)] * 2 + [(50, 0), (50, 1)]
    divided = splitting.split(data(*images, *((level, 1) for level in range(60, 65))), seed)
    assert defects.find(divided).leaked == {"test": 0}
    train, test = divided.splits.values()
    assert 50 in levels(train)
    assert len(train) + len(test) == 36
    # 30 images are happy, 6 sad.
    assert divided.counts()["test"] == {"happy": 6, "sad": 1}


@pytest.mark.parametrize(
    ("images", "test"),
    [
        # Each group is larger than a fifth: the smallest one goes.
        ([(1, 0)] * 5 + [(2, 0)] * 4 + [(8, 1), (9, 1)], {"happy": 4, "sad": 1}),
        # The image with both labels keeps each class in train.
        ([(1, 0), (5, 0), (5, 1), (2, 1)], {"happy": 1, "sad": 1}),
    ],
)
def test_few_different_images_suffice(images: list[tuple[int, int]], test: dict[str, int]) -> None:
    divided = splitting.split(data(*images), 3)
    assert divided.counts()["test"] == test
    assert min(divided.counts()["train"].values()) > 0


@pytest.mark.parametrize(
    ("images", "label"),
    [
        ([(1, 0), (2, 0), (3, 1)], "sad"),
        ([(1, 0), (2, 1), (3, 1), (1, 0)], "happy"),
        ([(1, 0), (1, 1), (2, 1)], "happy"),
    ],
)
def test_too_few_different_images_are_told(images: list[tuple[int, int]], label: str) -> None:
    with pytest.raises(DataError) as caught:
        splitting.split(data(*images), 1)
    assert str(caught.value) == (
        f"small has too few different images of {label} to divide them into train and test: add some, or name the "
        "labels to use with --labels"
    )


def test_targets_go_with_their_images() -> None:
    train = TWENTY.splits["train"]
    shares = np.stack([np.arange(20), 20 - np.arange(20)], axis=1).astype(np.float32) / 20
    divided = splitting.split(replace(TWENTY, splits={"train": replace(train, targets=shares)}), 1)
    for part in divided.splits.values():
        assert part.targets is not None
        np.testing.assert_array_equal(part.targets[:, 0], np.asarray(levels(part), np.float32) / 20)


def test_a_csv_of_training_rows_is_divided(mini_faces: dict[str, tuple[Any, Any]], tmp_path: Path) -> None:
    faces, labels = mini_faces["train"]
    rows = (
        f"{label},{' '.join(map(str, face.ravel().tolist()))},Training"
        for face, label in zip(faces[:105], labels, strict=False)
    )
    (tmp_path / "all.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]))
    found = datasets.load(tmp_path / "all.csv")
    assert found.counts() == {"train": dict.fromkeys(EXPRESSIONS, 12), "test": dict.fromkeys(EXPRESSIONS, 3)}
    assert found.selection_split() == "test"
    assert found.fingerprint() == datasets.load(tmp_path / "all.csv", seed=1).fingerprint()
    assert found.fingerprint() != datasets.load(tmp_path / "all.csv", seed=2).fingerprint()
    # A class draws the same images with or without the others.
    some = datasets.load(tmp_path / "all.csv", labels=("fear", "happy"))
    assert some.fingerprint() == found.subset(("fear", "happy")).fingerprint()
