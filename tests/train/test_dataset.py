from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fer_edge.errors import DataError, UsageError
from fer_train.datasets import Dataset, Split


def split(number: int, *labels: int, shape: tuple[int, int] = (6, 5)) -> Split:
    random = np.random.default_rng(number)
    return Split(tuple(random.integers(0, 256, shape, np.uint8) for _ in labels), np.asarray(labels, np.int64))


def dataset(**splits: Split) -> Dataset:
    return Dataset("some", ("happy", "sad", "neutral"), splits)


SMALL = dataset(train=split(0, 0, 0, 2), public=split(1, 1))


def test_counts_name_every_label() -> None:
    assert SMALL.counts() == {
        "train": {"happy": 2, "sad": 0, "neutral": 1},
        "public": {"happy": 0, "sad": 1, "neutral": 0},
    }


@pytest.mark.parametrize(
    ("shapes", "size"),
    [([(48, 48)], 48), ([(60, 40)], 40), ([(40, 60)], 40), ([(10, 20), (30, 30), (900, 800)], 30)],
)
def test_face_size_is_the_median_shorter_side_of_train(shapes: list[tuple[int, int]], size: int) -> None:
    faces = tuple(np.zeros(shape, np.uint8) for shape in shapes)
    train = Split(faces, np.zeros(len(faces), np.int64))
    assert dataset(train=train, test=split(0, 0, shape=(500, 500))).face_size() == size


def test_equal_data_has_an_equal_fingerprint() -> None:
    again = Dataset("another name", SMALL.labels, {"public": split(1, 1), "train": split(0, 0, 0, 2)}, ("a.png",))
    assert again.fingerprint() == SMALL.fingerprint()
    assert len(SMALL.fingerprint()) == 64


def one_pixel() -> Dataset:
    faces = [face.copy() for face in SMALL.splits["train"].faces]
    faces[2][5, 4] ^= 1
    return replace(SMALL, splits={**SMALL.splits, "train": Split(tuple(faces), SMALL.splits["train"].labels)})


def reshaped() -> Dataset:
    faces = tuple(face.reshape(5, 6) for face in SMALL.splits["train"].faces)
    return replace(SMALL, splits={**SMALL.splits, "train": Split(faces, SMALL.splits["train"].labels)})


def moved_over() -> Dataset:
    train, public = SMALL.splits["train"], SMALL.splits["public"]
    return dataset(
        train=Split(train.faces[:2], train.labels[:2]),
        public=Split((train.faces[2], *public.faces), np.concatenate([train.labels[2:], public.labels])),
    )


@pytest.mark.parametrize(
    "other",
    [
        one_pixel(),
        reshaped(),
        moved_over(),
        dataset(train=split(0, 0, 1, 2), public=split(1, 1)),
        dataset(train=split(0, 0, 0, 2), test=split(1, 1)),
        dataset(train=split(0, 0, 0, 2)),
        replace(SMALL, labels=("sad", "happy", "neutral")),
    ],
    ids=["pixel", "shape", "moved", "label", "split name", "split gone", "label names"],
)
def test_other_data_has_another_fingerprint(other: Dataset) -> None:
    assert other.fingerprint() != SMALL.fingerprint()


@pytest.mark.parametrize(
    ("names", "chosen"),
    [(("train", "public", "private"), "public"), (("train", "test"), "test"), (("test", "train", "public"), "public")],
)
def test_the_split_to_select_on(names: tuple[str, ...], chosen: str) -> None:
    assert dataset(**{name: split(0, 0) for name in names}).selection_split() == chosen


@pytest.mark.parametrize("names", [("train",), ("train", "private")])
def test_nothing_is_selected_on_train_or_private(names: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="some has no public or test split"):
        dataset(**{name: split(0, 0) for name in names}).selection_split()


def test_an_unknown_split_is_a_usage_error() -> None:
    assert len(SMALL.split("train")) == 3
    with pytest.raises(UsageError, match="some has no split 'private'; it has train, public"):
        SMALL.split("private")


SOFT = dataset(
    train=replace(
        split(0, 0, 1, 2, 0),
        targets=np.array([[0.5, 0.2, 0.3], [0.1, 0.9, 0], [0, 0.4, 0.6], [0.75, 0.25, 0]], np.float32),
    ),
    public=replace(split(1, 0, 2), targets=np.array([[0.8, 0.2, 0], [0, 0, 1]], np.float32)),
)


def test_a_subset_keeps_its_shares_of_the_targets() -> None:
    some = replace(SOFT, notes=("told",), skipped=("a.png",)).subset(("neutral", "happy"))
    train, public = some.splits["train"], some.splits["public"]
    assert (train.labels.tolist(), public.labels.tolist()) == ([1, 0, 1], [1, 0])
    assert train.targets is not None
    assert public.targets is not None
    np.testing.assert_allclose(train.targets, [[0.375, 0.625], [1, 0], [0, 1]], rtol=1e-6)
    np.testing.assert_allclose(public.targets, [[0, 1], [1, 0]], rtol=1e-6)
    assert train.targets.dtype == np.float32
    assert [face.tobytes() for face in train.faces] == [SOFT.splits["train"].faces[n].tobytes() for n in (0, 2, 3)]
    assert (some.notes, some.skipped) == (("told",), ("a.png",))


def test_a_subset_leaves_out_what_has_no_share_in_it() -> None:
    targets = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]], np.float32)
    train = replace(split(0, 0, 0, 2), targets=targets)
    some = dataset(train=train, public=split(1, 0)).subset(("happy", "neutral")).splits["train"]
    assert some.labels.tolist() == [0, 1]
    assert some.targets is not None
    assert some.targets.tolist() == [[1, 0], [0, 1]]


def test_targets_are_part_of_the_fingerprint() -> None:
    plain = {name: replace(split, targets=None) for name, split in SOFT.splits.items()}
    other = {**SOFT.splits, "public": replace(SOFT.splits["public"], targets=np.eye(3, dtype=np.float32)[:2])}
    prints = [data.fingerprint() for data in (SOFT, replace(SOFT, splits=plain), replace(SOFT, splits=other))]
    assert len(set(prints)) == 3


def test_a_split_is_divided_by_name_in_the_order_given() -> None:
    whole = replace(split(0, 0, 1, 2, 1), targets=np.eye(4, 3, dtype=np.float32))
    parts = whole.divided(["b", "a", "b", "c"], ("c", "a", "none", "b"))
    assert {name: part.labels.tolist() for name, part in parts.items()} == {"c": [1], "a": [1], "b": [0, 2]}
    assert list(parts) == ["c", "a", "b"]
    assert parts["b"].targets is not None
    assert parts["b"].targets.tolist() == [[1, 0, 0], [0, 0, 1]]
    assert parts["b"].faces == (whole.faces[0], whole.faces[2])
    assert not whole.on_disk
