from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_edge.errors import DataError, UsageError
from fer_edge.labels import EXPRESSIONS
from fer_train import datasets
from fer_train.cli import main


@pytest.fixture
def folders(mini_folders: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mini_folders, tmp_path / "faces"))


def test_the_same_faces_as_in_the_csv(mini_folders: Path, mini_faces: dict[str, tuple[Any, Any]]) -> None:
    data = datasets.load(mini_folders)
    assert (data.name, data.labels, data.skipped) == ("faces", EXPRESSIONS, ())
    assert list(data.splits) == ["train", "test"]
    for name, source, number in (("train", "train", 70), ("test", "public", 21)):
        faces, labels = (array[:number] for array in mini_faces[source])
        by_class = np.argsort(labels, kind="stable")
        np.testing.assert_array_equal(np.stack(data.splits[name].faces), faces[by_class])
        np.testing.assert_array_equal(data.splits[name].labels, labels[by_class])
    assert data.counts() == {"train": dict.fromkeys(EXPRESSIONS, 10), "test": dict.fromkeys(EXPRESSIONS, 3)}


def test_colour_becomes_the_luma_that_the_device_takes(folders: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)
    cv2.imwrite(str(folders / "train" / "angry" / "!first.png"), picture)
    face = datasets.load(folders).splits["train"].faces[0]
    # The decoder's own conversion may round a level apart from cvtColor's.
    difference = face.astype(int) - cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(int)
    assert np.abs(difference).max() <= 1


def test_class_folders_in_capitals_are_known(folders: Path) -> None:
    (folders / "train" / "happy").rename(folders / "train" / "Happy")
    assert datasets.load(folders).counts()["train"] == dict.fromkeys(EXPRESSIONS, 10)


def test_a_class_in_two_spellings_loses_no_image(folders: Path) -> None:
    happy = folders / "train" / "happy"
    (folders / "train" / "Happy").mkdir()
    (happy / "003.png").rename(folders / "train" / "Happy" / "003.png")
    # Refusing the two is as good as reading both; reading one of them is not.
    found = 10
    with suppress(DataError):
        found = datasets.load(folders).counts()["train"]["happy"]
    assert found == 10


def text(file: Path) -> None:
    file.write_text("no image")


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut_off(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def dead_link(file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere")


@pytest.mark.parametrize("damage", [text, empty, cut_off, folder, dead_link])
def test_what_is_no_image_is_skipped_named_and_counted(
    damage: Callable[[Path], None], folders: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = sorted((folders / "train" / "sad").iterdir())[:2]
    for file in files:
        damage(file)
    data = datasets.load(folders)
    assert len(data.skipped) == 2
    assert all(str(file) in reason for file, reason in zip(files, data.skipped, strict=True))
    assert data.counts()["train"] == dict.fromkeys(EXPRESSIONS, 10) | {"sad": 8}
    assert len(data.splits["train"].faces) == len(data.splits["train"].labels) == 68


def remove(path: Path) -> None:
    shutil.rmtree(path)


def no_images(path: Path) -> None:
    for file in path.iterdir():
        file.write_text("no image")


def no_files(path: Path) -> None:
    for file in path.iterdir():
        file.unlink()


def empty_of_classes(path: Path) -> None:
    for folder in path.iterdir():
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("damage", "where", "reason"),
    [
        (remove, "test", "has no folder test: expected train/CLASS/ and test/CLASS/"),
        (remove, "train", "has no folder train: expected train/CLASS/ and test/CLASS/"),
        (remove, "test/fear", "has no image of fear in test: add some, or name the labels to use with --labels"),
        (no_files, "train/fear", "has no image of fear in train: add some"),
        (no_images, "test/surprise", "no image of surprise in test: add some, or name the labels to use with --labels"),
        (no_images, "test/surprise", "(3 files were skipped; the first: "),
        (empty_of_classes, "test", "test holds no image that can be read"),
        (Path.mkdir, "train/contempt", "train has unknown classes contempt; the known are angry, disgust"),
    ],
)
def test_bad_folders_are_told_in_one_line(
    damage: Callable[[Path], None],
    where: str,
    reason: str,
    folders: Path,
    tmp_path: Path,
    the_error: Callable[[Result], str],
) -> None:
    damage(folders / where)
    result = CliRunner().invoke(main, ["fit", "--data", str(folders), "--out", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert the_error(result).startswith(str(folders))
    assert reason in the_error(result)
    assert list(tmp_path.iterdir()) == [folders]


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no folder train and no folder test"):
        datasets.load(tmp_path)


def test_classes_that_are_not_asked_for_need_no_folder(folders: Path) -> None:
    shutil.rmtree(folders / "test" / "fear")
    shutil.rmtree(folders / "train" / "sad")
    some = datasets.load(folders, labels=("neutral", "angry", "happy"))
    assert some.counts() == {
        "train": {"neutral": 10, "angry": 10, "happy": 10},
        "test": {"neutral": 3, "angry": 3, "happy": 3},
    }


def test_class_folders_alone_are_divided(folders: Path, mini_folders: Path) -> None:
    data, whole = datasets.load(folders / "train"), datasets.load(mini_folders).splits["train"]
    assert data.counts() == {"train": dict.fromkeys(EXPRESSIONS, 8), "test": dict.fromkeys(EXPRESSIONS, 2)}
    found = sorted(face.tobytes() for split in data.splits.values() for face in split.faces)
    assert found == sorted(face.tobytes() for face in whole.faces)
    assert data.notes == ("no split in the data: 14 of 70 images, drawn by class with seed 1, are the test split",)
    assert data.name == "train"


def test_the_divided_data_is_told(folders: Path) -> None:
    (folders / "train" / "fear" / "notes.txt").write_text("no image")
    result = CliRunner().invoke(main, ["inspect", "--data", str(folders / "train")])
    assert result.exit_code == 0, result.output
    assert result.stderr.splitlines() == [
        "train: no split in the data: 14 of 70 images, drawn by class with seed 1, are the test split",
        f"warning: skipped: {folders}/train/fear/notes.txt is not an image that can be decoded, or is cut off",
        "warning: skipped 1 files that are missing or no images",
    ]


def test_one_image_in_all_is_told(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    cv2.imwrite(str(tmp_path / "happy" / "a.png"), np.zeros((48, 48), np.uint8))
    with pytest.raises(DataError, match="has one image in all: nothing can be learned from it"):
        datasets.load(tmp_path)


def test_ferplus_has_no_votes_for_folders(mini_folders: Path) -> None:
    with pytest.raises(UsageError, match=r"FER\+ has votes for fer2013.csv, not for "):
        datasets.load(mini_folders, ferplus="majority")
