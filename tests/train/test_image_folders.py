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

from fer_edge.errors import DataError
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


@pytest.mark.parametrize(
    ("damage", "where", "reason"),
    [
        (remove, "test", "has no folder test: expected train/CLASS/ and test/CLASS/"),
        (remove, "train", "has no folder train: expected train/CLASS/ and test/CLASS/"),
        (remove, "test/fear", "test has no folder for fear"),
        (no_files, "train/fear", "train/fear holds no image that can be read"),
        (no_images, "test/surprise", "test/surprise holds no image that can be read"),
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
