from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import DataError, UsageError
from fer_edge.labels import EXPRESSIONS
from fer_train import datasets
from fer_train.datasets import ferplus

COLUMNS = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
# Our labels in the order of the votes' columns.
NAMES = ("neutral", "happy", "surprise", "sad", "angry", "disgust", "fear")


@pytest.fixture(scope="module")
def votes(shared_data: Callable[[str], Path], mini_faces: dict[str, tuple[Any, Any]]) -> Any:
    """Give the real votes [N, 10] of the images in `mini_csv`, in its order."""
    with np.load(shared_data("fer2013_mini.npz"), allow_pickle=False) as data:
        assert ",".join(data["ferplus_columns"]) == COLUMNS.split(",", 2)[2]
        known = {image.tobytes(): row for image, row in zip(data["images"], data["ferplus_votes"], strict=True)}
    return np.stack([known[face.tobytes()] for faces, _ in mini_faces.values() for face in faces]).astype(int)


@pytest.fixture(scope="module")
def voted_csv(votes: Any, mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give `mini_csv` with FER+'s file beside it."""
    path = Path(shutil.copy(mini_csv, tmp_path_factory.mktemp("ferplus")))
    with mini_csv.open() as file:
        usages = [row["Usage"] for row in csv.DictReader(file)]
    rows = [
        f"{usage},{'' if row[9] == 10 else f'fer{number:07}.png'},{','.join(map(str, row))}"
        for number, (usage, row) in enumerate(zip(usages, votes.tolist(), strict=True))
    ]
    (path.with_name("fer2013new.csv")).write_text("\n".join([COLUMNS, *rows]) + "\n")
    return path


def by_hand(row: list[int], mode: str) -> list[float] | None:
    """Give the shares of the seven labels that an image's votes make, None where it is left out."""
    row = [vote if vote > 1 else 0 for vote in row]
    named = dict(zip(NAMES, row, strict=False))
    if not any(row) or max(row[:7]) < max(row[7:]) or (mode == "majority" and max(row) <= sum(row) / 2):
        return None
    return [named[label] / sum(row[:7]) for label in EXPRESSIONS]


@pytest.mark.parametrize("mode", ["majority", "soft"])
def test_real_votes_give_the_labels(
    mode: ferplus.FerPlus, votes: Any, voted_csv: Path, mini_faces: dict[str, tuple[Any, Any]]
) -> None:
    data = datasets.load(voted_csv, ferplus=mode)
    left_out = 0
    for name, first in (("train", 0), ("public", 280)):
        faces = mini_faces[name][0]
        shares = [by_hand(row, mode) for row in votes.tolist()[first : first + len(faces)]]
        kept = [number for number, share in enumerate(shares) if share is not None]
        wanted = np.array([share for share in shares if share is not None])
        left_out += len(faces) - len(kept)
        split = data.splits[name]
        np.testing.assert_array_equal(np.stack(split.faces), faces[kept])
        np.testing.assert_array_equal(split.labels, wanted.argmax(axis=1))
        if mode == "soft":
            assert split.targets is not None
            assert split.targets.dtype == np.float32
            np.testing.assert_allclose(split.targets, wanted, rtol=1e-6)
        else:
            assert split.targets is None
    assert 0 < left_out < 180
    assert data.notes[0].startswith(f"FER+ ({mode}) left out {left_out} of 364 images: ")
    assert data.fingerprint() != datasets.load(voted_csv).fingerprint()


def test_without_being_asked_the_votes_are_not_looked_at(voted_csv: Path, mini_csv: Path) -> None:
    data = datasets.load(voted_csv, ferplus="none")
    assert data.fingerprint() == datasets.load(mini_csv).fingerprint()
    assert data.notes == ()


# Votes in our order: angry, disgust, fear, happy, sad, surprise, neutral, contempt, unknown, no face.
ROWS = {
    "all agree": ([0, 0, 0, 10, 0, 0, 0, 0, 0, 0], 3, [0, 0, 0, 1, 0, 0, 0]),
    "single votes are not counted": ([1, 1, 1, 0, 4, 1, 1, 1, 0, 0], 4, [0, 0, 0, 0, 1, 0, 0]),
    "just over half": ([0, 0, 5, 2, 0, 2, 0, 0, 0, 0], 2, [0, 0, 5 / 9, 2 / 9, 0, 2 / 9, 0]),
    "half is no majority": ([5, 0, 0, 0, 0, 0, 5, 0, 0, 0], None, [0.5, 0, 0, 0, 0, 0, 0.5]),
    "half against others": ([0, 5, 0, 0, 0, 0, 0, 2, 3, 0], None, [0, 1, 0, 0, 0, 0, 0]),
    "a tie with contempt": ([0, 0, 0, 4, 0, 0, 2, 4, 0, 0], None, [0, 0, 0, 2 / 3, 0, 0, 1 / 3]),
    "contempt": ([0, 0, 0, 0, 0, 0, 3, 7, 0, 0], None, None),
    "most unknown, no majority": ([0, 0, 3, 0, 0, 3, 0, 0, 4, 0], None, None),
    "no face": ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], None, None),
    "no vote": ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0], None, None),
    "nothing but single votes": ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], None, None),
}


@pytest.mark.parametrize("case", ROWS)
def test_the_rules_of_ferplus(case: str) -> None:
    row, majority, shares = ROWS[case]
    hard, soft = (ferplus.judge(np.array([row]), mode) for mode in ("majority", "soft"))
    assert (hard.labels.tolist(), hard.targets) == ([] if majority is None else [majority], None)
    assert soft.targets is not None
    np.testing.assert_allclose(soft.targets, np.zeros((0, 7)) if shares is None else [shares], rtol=1e-6)
    assert soft.labels.tolist() == soft.targets.argmax(axis=1).tolist()
    assert len(soft.kept) == len(soft.labels)


def test_what_is_left_out_is_told_with_the_reason() -> None:
    rows = np.array([row for row, _, _ in ROWS.values()])
    assert ferplus.judge(rows, "majority").note == (
        "FER+ (majority) left out 8 of 11 images: 6 without a majority, 1 contempt, 1 no face"
    )
    assert ferplus.judge(rows, "soft").note == (
        "FER+ (soft) left out 5 of 11 images: 2 without two equal votes, 1 contempt, 1 unknown, 1 no face"
    )
    assert ferplus.judge(rows[:1], "soft").note == "FER+ (soft) left out 0 of 1 images"


def test_votes_that_are_not_there_are_told_with_the_place(mini_csv: Path) -> None:
    with pytest.raises(UsageError) as caught:
        datasets.load(mini_csv, ferplus="majority")
    assert str(caught.value) == (
        f"no FER+ votes at {mini_csv.with_name('fer2013new.csv')}: "
        "put fer2013new.csv of the FER+ data beside fer2013.csv"
    )


def change(line: int, new: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [*lines[: line - 1], new, *lines[line:]]


FILES: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "empty": (lambda lines: [], "line 1: the columns are '', expected Usage,Image name,anger"),
    "other columns": (change(1, COLUMNS.replace("NF", "none")), "line 1: the columns are 'Usage,Image name,neutral"),
    "a row too few": (lambda lines: lines[:-1], "has 363 rows, fer2013.csv has 364: one each is needed"),
    "a row too many": (lambda lines: [*lines, lines[-1]], "has 365 rows, fer2013.csv has 364: one each is needed"),
    "another Usage": (
        lambda lines: [lines[0], lines[-1], *lines[1:-1]],
        "line 2: the Usage is 'PublicTest', that of row 1 of fer2013.csv is 'Training': both files must have the same",
    ),
    "cut off": (lambda lines: [*lines[:-1], lines[-1][:20]], "line 365: "),
    "no number": (change(3, "Training,a.png,0,x,0,0,0,0,0,0,0,10"), "line 3: 'x' is no number of votes"),
    "a negative number": (change(3, "Training,a.png,0,-1,0,0,0,0,0,0,0,10"), "line 3: '-1' is no number of votes"),
    "an empty field": (change(3, "Training,a.png,0,,0,0,0,0,0,0,0,10"), "line 3: '' is no number of votes"),
    "eleven fields": (change(3, "Training,a.png,0,0,0,0,0,0,0,0,10"), "line 3: 11 fields, expected 12"),
    "none of ours": (
        lambda lines: [line if "Public" not in line else "PublicTest,,0,0,0,0,0,0,0,0,0,10" for line in lines],
        "the FER+ votes leave no image of PublicTest in ",
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_bad_votes_are_told(case: str, voted_csv: Path, tmp_path: Path) -> None:
    damage, reason = FILES[case]
    path = Path(shutil.copy(voted_csv, tmp_path))
    lines = voted_csv.with_name("fer2013new.csv").read_text().splitlines()
    path.with_name("fer2013new.csv").write_text("\n".join(damage(lines)))
    with pytest.raises(DataError) as caught:
        datasets.load(path, ferplus="soft")
    assert reason in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_columns_may_stand_in_another_order(voted_csv: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(voted_csv, tmp_path))
    rows = [line.split(",") for line in voted_csv.with_name("fer2013new.csv").read_text().splitlines()]
    path.with_name("fer2013new.csv").write_text("\ufeff" + "\r\n".join(",".join(reversed(row)) for row in rows))
    wanted = datasets.load(voted_csv, ferplus="soft").fingerprint()
    assert datasets.load(path, ferplus="soft").fingerprint() == wanted


def test_a_subset_of_soft_targets_sums_to_one(voted_csv: Path) -> None:
    data = datasets.load(voted_csv, ferplus="soft", labels=("happy", "neutral", "surprise"))
    for split in data.splits.values():
        assert split.targets is not None
        np.testing.assert_allclose(split.targets.sum(axis=1), 1, rtol=1e-6)
        # Where two labels share the most votes, the first of FER2013's order stays the label.
        of_label = np.take_along_axis(split.targets, split.labels[:, np.newaxis], axis=1)[:, 0]
        np.testing.assert_array_equal(of_label, split.targets.max(axis=1))
    assert data.notes[0].startswith("FER+ (soft) left out ")
