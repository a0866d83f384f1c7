from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_edge.errors import DataError, UsageError
from fer_train import datasets
from fer_train.cli import main
from fer_train.datasets import Dataset, Split, defects
from fer_train.datasets.defects import Defects
from fer_train.run_folder import RunFolder


def face(level: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    picture = np.zeros((8, 8), np.uint8)
    picture[0, 0] = level
    return picture


def split(*images: tuple[int, int]) -> Split:
    """Make pictures of (grey level of one pixel, label)."""
    return Split(tuple(face(level) for level, _ in images), np.array([label for _, label in images], np.int64))


DATA = Dataset(
    name="small",
    labels=("a", "b", "c"),
    splits={
        # 1 stands three times with two labels, 2 leaks into test twice, 0 is blank.
        "train": split((1, 0), (1, 0), (1, 1), (2, 1), (3, 2), (0, 2)),
        "test": split((2, 1), (2, 1), (4, 0)),
    },
)


def test_each_defect_is_counted() -> None:
    assert defects.find(DATA) == Defects(
        images=9,
        unique=5,
        duplicate_groups=2,
        duplicate_images=6,
        conflicting_groups=1,
        conflicting_images=3,
        blank=1,
        unique_train=4,
        leaked={"test": 2},
    )


def test_the_leaked_images_are_named() -> None:
    assert defects.leaked(DATA, "test").tolist() == [True, True, False]
    assert defects.leaked(DATA, "train").tolist() == [True] * 6
    assert defects.leaked(DATA, "test").dtype == bool
    with pytest.raises(UsageError, match="small has no split 'public'"):
        defects.leaked(DATA, "public")


def test_leaks_are_left_out_of_training_alone() -> None:
    clean = defects.without_leaks(replace(DATA, notes=("told",)))
    assert clean.notes == ("told",)
    assert clean.counts() == {"train": {"a": 2, "b": 1, "c": 2}, "test": {"a": 1, "b": 2, "c": 0}}
    assert defects.find(clean).leaked == {"test": 0}
    assert DATA.counts()["train"] == {"a": 2, "b": 2, "c": 2}


def test_a_subset_is_numbered_in_the_order_asked_for() -> None:
    some = DATA.subset(("b", "a"))
    assert some.labels == ("b", "a")
    assert some.splits["train"].labels.tolist() == [1, 1, 0, 0]
    assert [int(picture[0, 0]) for picture in some.splits["train"].faces] == [1, 1, 1, 2]
    assert some.counts()["test"] == {"b": 2, "a": 1}


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (("a", "d"), "small has no label d; it has a, b, c"),
        (("a",), "a are not two or more different labels"),
        (("a", "a"), "a,a are not two or more different labels"),
    ],
)
def test_subsets_that_cannot_be_meant(labels: tuple[str, ...], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        DATA.subset(labels)
    assert str(caught.value) == reason


def test_a_subset_without_images_in_a_split() -> None:
    data = Dataset("x", ("a", "b", "c"), {"train": split((1, 0), (2, 1)), "test": split((3, 2))})
    with pytest.raises(UsageError, match="the split test of x has no image of a, b"):
        data.subset(("a", "b"))


def test_a_class_that_only_leaks_is_named_once_leaks_are_left_out(
    mini_faces: dict[str, tuple[Any, Any]], tmp_path: Path
) -> None:
    faces, _ = mini_faces["train"]
    rows = [(0, 3, "Training"), (1, 4, "Training"), (1, 4, "PublicTest")]
    lines = (f"{label},{' '.join(map(str, faces[number].ravel().tolist()))},{usage}" for number, label, usage in rows)
    (tmp_path / "faces.csv").write_text("\n".join(["emotion,pixels,Usage", *lines]))
    with pytest.raises(DataError, match="has no image of sad in train"):
        datasets.load(tmp_path / "faces.csv", labels=("happy", "sad"), drop_duplicates=True)


def test_inspect_tells_and_writes_them(mini_csv: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["inspect", "--data", str(mini_csv), "--json", str(tmp_path / "i.json")])
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "i.json").read_text())
    found = datasets.load(mini_csv)
    assert written["sha256"] == found.fingerprint()
    assert written["counts"] == found.counts()
    assert written["defects"]["images"] == 7 * 52
    assert f"{written['defects']['unique']:,} of 364 images are different" in result.stdout


def test_inspect_tells_a_label_that_is_not_there(mini_csv: Path, the_error: Callable[[Result], str]) -> None:
    result = CliRunner().invoke(main, ["inspect", "--data", str(mini_csv), "--labels", "happy,bored"])
    assert result.exit_code == 2
    assert the_error(result).startswith("FER2013 has no label bored; it has angry")


def test_a_run_on_some_labels_knows_them(mini_csv: Path, tmp_path: Path) -> None:
    settings = ["--arch", "cnn-1", "--input-size", "48", "--epochs", "1", "--labels", "happy,sad", "--drop-duplicates"]
    result = CliRunner().invoke(main, ["fit", "--data", str(mini_csv), *settings, "--out", str(tmp_path / "two")])
    assert result.exit_code == 0, result.output
    info = RunFolder(tmp_path / "two").info
    assert info.labels == info.settings.labels == ("happy", "sad")
    assert info.settings.drop_duplicates
    assert info.data.counts["public"] == {"happy": 12, "sad": 12}
    assert (info.input.channels, info.input.face_size) == (1, None)


@pytest.mark.slow
def test_the_known_figures_of_fer2013(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    archive = shared_data("fer2013_train_public.npz")
    subprocess.run([sys.executable, shared_data("expand_fer2013.py"), archive, tmp_path, "--csv"], check=True)
    assert defects.find(datasets.load(tmp_path / "fer2013.csv")) == Defects(
        images=32_298,
        unique=30_768,
        duplicate_groups=1_271,
        duplicate_images=2_801,
        conflicting_groups=47,
        conflicting_images=129,
        blank=12,
        unique_train=27_475,
        leaked={"public": 280},
    )
