from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_edge.errors import DataError, UsageError
from fer_edge.labels import EXPRESSIONS
from fer_train import datasets
from fer_train.cli import main
from fer_train.datasets import fer2013_csv

HEADER = "emotion,pixels,Usage"
RNG = np.random.default_rng(0)
FACE = RNG.integers(0, 256, (48, 48), np.uint8)
PIXELS = " ".join(map(str, FACE.ravel().tolist()))
GOOD = f"3,{PIXELS},Training"


def csv(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "faces.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def pixels(number: int, value: str) -> str:
    words = PIXELS.split()
    words[number] = value
    return " ".join(words)


def test_real_faces_come_out_as_they_went_in(mini_csv: Path, mini_faces: dict[str, tuple[Any, Any]]) -> None:
    data = datasets.load(mini_csv)
    assert (data.name, data.labels, data.skipped) == ("FER2013", EXPRESSIONS, ())
    assert list(data.splits) == ["train", "public"]
    for name, (faces, labels) in mini_faces.items():
        np.testing.assert_array_equal(np.stack(data.splits[name].faces), faces)
        np.testing.assert_array_equal(data.splits[name].labels, labels)
    assert data.counts() == {
        "train": dict.fromkeys(EXPRESSIONS, 40),
        "public": dict.fromkeys(EXPRESSIONS, 12),
    }
    assert data.face_size() == 48


def expand(npz: Path, path: Path) -> None:
    # As shared/data/expand_fer2013.py writes it.
    with np.load(npz, allow_pickle=False) as data, path.open("w") as file:
        images, labels, splits = data["images"], data["labels"], data["split"]
        file.write(HEADER + "\n")
        for image, label, split in zip(images, labels, splits, strict=True):
            usage = "Training" if split == "train" else "PublicTest"
            file.write(f"{label},{' '.join(map(str, image.ravel().tolist()))},{usage}\n")


def test_counts_of_the_whole_mini_data(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    expand(shared_data("fer2013_mini.npz"), tmp_path / "fer2013.csv")
    assert datasets.load(tmp_path / "fer2013.csv").counts() == {
        "train": dict.fromkeys(EXPRESSIONS, 200),
        "public": dict.fromkeys(EXPRESSIONS, 30),
    }


@pytest.mark.slow
def test_published_counts_of_fer2013(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    expand(shared_data("fer2013_train_public.npz"), tmp_path / "fer2013.csv")
    data = datasets.load(tmp_path / "fer2013.csv")
    assert data.counts() == {
        "train": dict(zip(EXPRESSIONS, (3995, 436, 4097, 7215, 4830, 3171, 4965), strict=True)),
        "public": dict(zip(EXPRESSIONS, (467, 56, 496, 895, 653, 415, 607), strict=True)),
    }
    assert data.selection_split() == "public"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (HEADER, "3,{},Training"),
        # icml_face_data.csv, the challenge's own file
        ("emotion, Usage, pixels", "3,Training,{}"),
        ("Usage,pixels,emotion", "Training,{},3"),
        (" pixels , emotion , Usage ", " {} , 3 , Training "),
        ('"emotion","pixels","Usage"', '"3","{}","Training"'),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_forms_of_the_file(header: str, row: str, encoding: str, line_end: str, tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_bytes((header + line_end + row.format(PIXELS) + line_end).encode(encoding))
    data = fer2013_csv.read(path)
    np.testing.assert_array_equal(data.splits["train"].faces[0], FACE)
    assert data.splits["train"].labels.tolist() == [3]
    assert data.splits["train"].labels.dtype == np.int64


def test_splits_are_named_and_ordered(tmp_path: Path) -> None:
    rows = (f"{label},{PIXELS},{usage}" for label, usage in enumerate(("PrivateTest", "Training", "PublicTest")))
    data = fer2013_csv.read(csv(tmp_path, HEADER, *rows))
    assert {name: split.labels.tolist() for name, split in data.splits.items()} == {
        "train": [1],
        "public": [2],
        "private": [0],
    }
    assert list(data.splits) == ["train", "public", "private"]


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    assert len(fer2013_csv.read(csv(tmp_path, HEADER, GOOD, "", GOOD, "", "")).splits["train"]) == 2


@pytest.mark.parametrize(
    ("labels", "rows", "reason"),
    [
        (None, [f"{label},{PIXELS},Training" for label in (0, 1, 3, 4, 6)], "no image of fear, surprise in train: add"),
        (("happy", "fear"), [GOOD, f"2,{PIXELS},PublicTest"], "has no image of fear in train: add some, or name the"),
        (None, [GOOD], "has one image in all: nothing can be learned from it"),
    ],
)
def test_classes_without_an_image_are_named(
    labels: tuple[str, ...] | None, rows: list[str], reason: str, tmp_path: Path
) -> None:
    path = csv(tmp_path, HEADER, *rows)
    with pytest.raises(DataError) as caught:
        datasets.load(path, labels=labels)
    assert str(caught.value).startswith(f"{path} has ")
    assert reason in str(caught.value)


def test_classes_that_are_not_asked_for_need_no_image(tmp_path: Path) -> None:
    rows = [GOOD, f"0,{PIXELS},Training", f"3,{PIXELS},PublicTest"]
    found = datasets.load(csv(tmp_path, HEADER, *rows), labels=("happy", "angry"))
    assert found.counts() == {"train": {"happy": 1, "angry": 1}, "public": {"happy": 1, "angry": 0}}


ROWS = {
    "cut off inside the pixels": ("3," + PIXELS[: len(PIXELS) // 2], "2 fields, expected 3; is the file cut off?"),
    "cut off inside the Usage": (f"3,{PIXELS},Train", "the Usage is 'Train', expected Training, PublicTest"),
    "cut off before the Usage": (f"3,{PIXELS},", "the Usage is ''"),
    "cut off after the emotion": ("3", "1 fields, expected 3; is the file cut off?"),
    "four fields": (f"{GOOD},more", "4 fields, expected 3"),
    "a pixel too few": (f"3,{PIXELS.rsplit(' ', 1)[0]},Training", "2303 pixels, expected 2304 (48 x 48)"),
    "a pixel too many": (f"3,{PIXELS} 7,Training", "2305 pixels, expected 2304"),
    "no pixels": ("3,,Training", "0 pixels, expected 2304"),
    "pixel 256": (f"3,{pixels(7, '256')},Training", "the pixel '256' is no whole number from 0 to 255"),
    "pixel -1": (f"3,{pixels(0, '-1')},Training", "the pixel '-1' is no whole number from 0 to 255"),
    "pixel of letters": (f"3,{pixels(2303, 'abc')},Training", "the pixel 'abc' is no whole number from 0 to 255"),
    "pixel with a fraction": (f"3,{pixels(5, '1.5')},Training", "the pixel '1.5' is no whole number from 0 to 255"),
    "pixel beyond any integer": (f"3,{pixels(5, '9' * 30)},Training", "is no whole number from 0 to 255"),
    "label 7": (f"7,{PIXELS},Training", "the emotion is '7', expected 0 to 6"),
    "label -1": (f"-1,{PIXELS},Training", "the emotion is '-1', expected 0 to 6"),
    "label x": (f"x,{PIXELS},Training", "the emotion is 'x', expected 0 to 6"),
    "no label": (f",{PIXELS},Training", "the emotion is '', expected 0 to 6"),
    "label with a fraction": (f"3.0,{PIXELS},Training", "the emotion is '3.0', expected 0 to 6"),
    "unknown Usage": (f"3,{PIXELS},Testing", "the Usage is 'Testing', expected Training, PublicTest, PrivateTest"),
}


@pytest.mark.parametrize("case", ROWS)
@pytest.mark.parametrize("after", [(), (GOOD, GOOD)], ids=["last", "inside"])
def test_bad_rows_are_named(case: str, after: tuple[str, ...], tmp_path: Path) -> None:
    row, reason = ROWS[case]
    path = csv(tmp_path, HEADER, GOOD, GOOD, row, *after)
    with pytest.raises(DataError) as caught:
        datasets.load(path)
    assert str(caught.value).startswith(f"{path} line 4: ")
    assert reason in str(caught.value)


def test_line_numbers_are_those_of_an_editor(tmp_path: Path) -> None:
    path = csv(tmp_path, HEADER, GOOD, "", "", f"7,{PIXELS},Training")
    with pytest.raises(DataError, match="line 5: the emotion is '7'"):
        datasets.load(path)


FILES = {
    "empty": (b"", "is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", "is empty"),
    "header only": (HEADER.encode() + b"\n", "a header and no row"),
    "other columns": (b"label,pixels,Usage\n", "line 1: the columns are 'label,pixels,Usage', expected emotion,pixels"),
    "no header": (GOOD.encode(), "line 1: the columns are"),
    "a column twice": (b"emotion,pixels,pixels\n", "line 1: the columns are"),
    "header cut off": (b"emotion,pix", "line 1: the columns are 'emotion,pix'"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)), "is not a CSV text file"),
    "UTF-16": ((HEADER + "\n" + GOOD).encode("utf-16"), "is not a CSV text file"),
    "bytes in a row": (f"{HEADER}\n{GOOD}\n3,".encode() + b"\xff\xfe", "is not a CSV text file"),
    "a quote that never ends": (f'{HEADER}\n3,"{(PIXELS + " ") * 20}'.encode(), "is not a CSV text file"),
    "no Training": (f"{HEADER}\n3,{PIXELS},PublicTest\n".encode(), "has no row with the Usage Training"),
}


@pytest.mark.parametrize("case", FILES)
def test_bad_files_are_told_in_one_line(case: str, tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    content, reason = FILES[case]
    path, out = tmp_path / "faces.csv", tmp_path / "run"
    path.write_bytes(content)
    result = CliRunner().invoke(main, ["fit", "--data", str(path), "--out", str(out)])
    assert result.exit_code == 1
    assert the_error(result).startswith(str(path))
    assert reason in the_error(result)
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_told_with_what_to_give(tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    with pytest.raises(UsageError, match=r"no data at .*: give a FER2013 CSV file or a folder"):
        datasets.load(tmp_path / "absent.csv")
    result = CliRunner().invoke(main, ["fit", "--data", str(tmp_path / "absent.csv"), "--out", str(tmp_path / "run")])
    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert "absent.csv" in the_error(result)


def test_a_name_too_long_for_the_system_is_told(the_error: Callable[[Result], str]) -> None:
    assert f"cannot look at {'x' * 80}: File name too long" == the_error(
        CliRunner().invoke(main, ["fit", "--data", "x" * 300])
    )
