from __future__ import annotations

import shutil
from collections.abc import Callable
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
from fer_train.datasets import expw

# Where two faces of 48 pixels lie in a photo of 150 columns and 70 rows: the second at its right edge.
CORNERS = ((12, 10), (102, 15))


def photo(faces: Any) -> Any:
    picture = np.random.default_rng(int(faces[0].sum())).integers(0, 256, (70, 150), np.uint8)
    for face, (left, top) in zip(faces, CORNERS, strict=True):
        picture[top : top + 48, left : left + 48] = face
    return picture


@pytest.fixture(scope="session")
def photos(mini_faces: dict[str, tuple[Any, Any]]) -> dict[str, Any]:
    """Give 35 photos of two real faces each."""
    faces = mini_faces["train"][0]
    return {f"p{number:02}.png": photo(faces[2 * number : 2 * number + 2]) for number in range(35)}


@pytest.fixture(scope="session")
def whole(
    photos: dict[str, Any], mini_faces: dict[str, tuple[Any, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Give ExpW as it is handed out: label/label.lst and image/origin/*."""
    path = tmp_path_factory.mktemp("expw") / "ExpW"
    (path / "image" / "origin").mkdir(parents=True)
    (path / "label").mkdir()
    lines = []
    for number, (name, picture) in enumerate(photos.items()):
        cv2.imwrite(str(path / "image" / "origin" / name), picture)
        for index, (left, top) in enumerate(CORNERS):
            label = mini_faces["train"][1][2 * number + index]
            lines.append(f"{name} {index} {top} {left} {left + 48} {top + 48} {20 + number / 7:.4f} {label}")
    (path / "label" / "label.lst").write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "data"))


def test_each_face_is_cut_with_its_margin(whole: Path, photos: dict[str, Any], mini_faces: Any) -> None:
    data = expw.read(whole / "label" / "label.lst", datasets.MEMORY)
    assert (data.name, data.labels, data.skipped, list(data.splits)) == ("ExpW", EXPRESSIONS, (), ["train"])
    split = data.splits["train"]
    np.testing.assert_array_equal(split.labels, mini_faces["train"][1][:70])
    # A tenth of 48 is 5 pixels; the second face has no more photo to its right.
    for number, picture in enumerate(photos.values()):
        np.testing.assert_array_equal(split.faces[2 * number], picture[5:63, 7:65])
        np.testing.assert_array_equal(split.faces[2 * number + 1], picture[10:68, 97:150])


def test_a_split_is_made(whole: Path) -> None:
    data = datasets.load(whole)
    assert data.counts() == {"train": dict.fromkeys(EXPRESSIONS, 8), "test": dict.fromkeys(EXPRESSIONS, 2)}
    assert data.notes == ("no split in the data: 14 of 70 images, drawn by class with seed 1, are the test split",)
    assert datasets.load(whole, seed=2).fingerprint() != data.fingerprint()


LAYOUTS = {
    "label/label.lst, image/origin": ("label/label.lst", "image/origin", "."),
    "label/label.lst, image": ("label/label.lst", "image", "."),
    "label.lst, image": ("label.lst", "image", "."),
    "label.lst, origin": ("label.lst", "origin", "."),
    "label.lst beside the photos": ("label.lst", ".", "."),
    "the folder of the list": ("label/label.lst", "image/origin", "label"),
    "the list itself": ("label/label.lst", "origin", "label/label.lst"),
    "a list of another name": ("faces.lst", "image", "faces.lst"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_photos_are_found_around_the_list(layout: str, whole: Path, tmp_path: Path) -> None:
    listed, images, given = LAYOUTS[layout]
    (tmp_path / listed).parent.mkdir(exist_ok=True)
    shutil.copy(whole / "label" / "label.lst", tmp_path / listed)
    shutil.copytree(whole / "image" / "origin", tmp_path / images, dirs_exist_ok=True)
    assert datasets.load(tmp_path / given).fingerprint() == datasets.load(whole).fingerprint()


def test_lost_and_broken_photos_are_skipped_and_named(folder: Path) -> None:
    images = folder / "image" / "origin"
    (images / "p03.png").unlink()
    (images / "p30.png").write_bytes((images / "p30.png").read_bytes()[:500])
    data = datasets.load(folder)
    assert [reason.partition(".png")[0] for reason in data.skipped] == [
        f"cannot read image {images}/p03",
        f"{images}/p30",
    ]
    assert sum(sum(counts.values()) for counts in data.counts().values()) == 66
    result = CliRunner().invoke(main, ["inspect", "--data", str(folder)])
    assert result.exit_code == 0, result.output
    assert "warning: skipped 2 files that are missing or no images" in result.stderr.splitlines()


def in_line(number: int, line: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [*lines[: number - 1], line, *lines[number:]]


LISTS = {
    "inverted": (
        "p02.png 0 58 12 60 10 20.5 3",
        "the box top 58, left 12, right 60, bottom 10 is empty or inverted in p02.png",
    ),
    "empty": ("p02.png 0 10 12 12 58 20.5 3", "right 12, bottom 58 is empty or inverted in p02.png of 150 x 70 pixels"),
    "over the right": (
        "p02.png 0 10 110 153 58 20.5 3",
        "the box top 10, left 110, right 153, bottom 58 reaches out of p02.png of 150 x 70 pixels",
    ),
    "over the bottom": ("p02.png 0 30 12 60 73 20.5 3", "bottom 73 reaches out of p02.png of 150 x 70"),
    "over the left": ("p02.png 0 10 -3 60 58 20.5 3", "left -3, right 60, bottom 58 reaches out of"),
    "outside": ("p02.png 0 10 500 560 58 20.5 3", "left 500, right 560, bottom 58 reaches out of"),
    "just outside": ("p02.png 0 10 150 152 58 20.5 3", "left 150, right 152, bottom 58 lies outside"),
    "seven fields": ("p02.png 0 10 12 60 58 3", "7 fields, expected 8; is the file cut off?"),
    "nine fields": ("p02.png 0 10 12 60 58 20.5 3 1", "9 fields, expected 8"),
    "no number": ("p02.png 0 10 a 60 58 20.5 3", "'10 a 60 58 20.5' are no box in whole pixels and its confidence"),
    "a fraction": ("p02.png 0 10 12.5 60 58 20.5 3", "'10 12.5 60 58 20.5' are no box in whole pixels"),
    "no confidence": ("p02.png 0 10 12 60 58 high 3", "'10 12 60 58 high' are no box in whole pixels"),
    "label 7": ("p02.png 0 10 12 60 58 20.5 7", "the expression is '7', expected 0 to 6"),
    "label -1": ("p02.png 0 10 12 60 58 20.5 -1", "the expression is '-1', expected 0 to 6"),
    "label x": ("p02.png 0 10 12 60 58 20.5 happy", "the expression is 'happy', expected 0 to 6"),
}


@pytest.mark.parametrize("case", LISTS)
def test_bad_lines_are_named(case: str, whole: Path, tmp_path: Path) -> None:
    line, reason = LISTS[case]
    listed = tmp_path / "label" / "label.lst"
    listed.parent.mkdir()
    (tmp_path / "image").symlink_to(whole / "image")
    lines = (whole / "label" / "label.lst").read_text().splitlines()
    listed.write_text("\n".join([*lines[:4], line, *lines[5:]]))
    with pytest.raises(DataError) as caught:
        datasets.load(tmp_path)
    assert str(caught.value).startswith(f"{listed} line 5: ")
    assert reason in str(caught.value)


def test_a_pixel_or_two_over_the_edge_is_rounding(whole: Path, photos: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "label.lst").write_text("p02.png 0 -2 -1 60 72 20.5 3\n\np04.png 0 0 100 152 70 9 6\n")
    (tmp_path / "image").symlink_to(whole / "image")
    first, second = expw.read(tmp_path / "label.lst", datasets.MEMORY).splits["train"].faces
    np.testing.assert_array_equal(first, photos["p02.png"][:, :66])
    np.testing.assert_array_equal(second, photos["p04.png"][:, 95:])


FILES = {
    "empty": (b"", "label.lst is empty"),
    "blank": (b"\n \n", "label.lst names no face"),
    "no text": (b"\xff\xfe\x00p", "label.lst is not a text file"),
    "other photos": (b"q.png 0 1 1 20 20 9.5 3\n", "label.lst names no photo that is there: looked in "),
}


@pytest.mark.parametrize("case", FILES)
def test_bad_lists_are_told_in_one_line(
    case: str, folder: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    content, reason = FILES[case]
    (folder / "label" / "label.lst").write_bytes(content)
    result = CliRunner().invoke(main, ["fit", "--data", str(folder), "--out", str(tmp_path / "run")])
    assert result.exit_code == 1
    assert reason in the_error(result)
    assert not (tmp_path / "run").exists()


def test_photos_none_of_which_decodes_are_told(folder: Path) -> None:
    for file in (folder / "image" / "origin").iterdir():
        file.write_text("no image")
    with pytest.raises(DataError, match=r"no photo that .*label.lst names can be decoded; the first: .*p00.png is not"):
        datasets.load(folder)


def test_classes_without_a_face_are_named(folder: Path) -> None:
    listed = folder / "label" / "label.lst"
    listed.write_text("".join(line for line in listed.read_text().splitlines(True) if not line.endswith(" 1\n")))
    with pytest.raises(DataError, match="has no image of disgust in train: add some, or name the labels to use with"):
        datasets.load(folder)
    some = tuple(label for label in EXPRESSIONS if label != "disgust")
    assert datasets.load(folder, labels=some).counts()["test"] == dict.fromkeys(some, 2)


def test_ferplus_has_no_votes_for_it(whole: Path) -> None:
    with pytest.raises(UsageError, match=r"FER\+ has votes for fer2013.csv, not for "):
        datasets.load(whole, ferplus="soft")
