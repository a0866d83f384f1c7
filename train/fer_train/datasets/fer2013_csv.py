"""FER2013 as Kaggle gives it: one row an image, `emotion,pixels,Usage` in any order.

Source: Goodfellow et al., "Challenges in Representation Learning", 2013, arXiv:1307.0414.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_edge.errors import DataError
from fer_edge.labels import EXPRESSIONS
from fer_edge.preprocessing import Pixels
from fer_train.datasets import ferplus
from fer_train.datasets.dataset import Dataset, Split
from fer_train.datasets.lines import whole_lines

NAME = "FER2013"
SIDE = 48
SPLIT_OF_USAGE = {"Training": "train", "PublicTest": "public", "PrivateTest": "private"}
_COLUMNS = ("emotion", "pixels", "Usage")
_DIGITS = 20


def read(path: Path, *, votes: ferplus.FerPlus = "none") -> Dataset:
    """Read the CSV.

    Args:
        path: The file.
        votes: How the FER+ votes that lie beside it replace its labels, if at all.

    Raises:
        UsageError: The votes are asked for and not there.
        DataError: It cannot be read, is empty, or has a row that is wrong; the message gives the line and the reason.
    """
    rows: list[tuple[str, int, Pixels]] = []
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows.extend(_rows(path, whole_lines(path, file)))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV text file: {error}") from error
    if not rows:
        raise DataError(f"{path} has a header and no row")
    usages, labels, faces = zip(*rows, strict=True)
    if "Training" not in usages:
        raise DataError(f"{path} has no row with the Usage Training")
    whole = Split(faces, np.asarray(labels, np.int64))
    notes: tuple[str, ...] = ()
    if votes != "none":
        judged = ferplus.judge(ferplus.read_votes(path, usages), votes)
        whole = replace(whole.take(judged.kept), labels=judged.labels, targets=judged.targets)
        left = [usages[number] for number in judged.kept.tolist()]
        if emptied := sorted(set(usages) - set(left)):
            raise DataError(f"the FER+ votes leave no image of {emptied[0]} in {path}")
        usages, notes = tuple(left), (judged.note,)
    splits = whole.divided(map(SPLIT_OF_USAGE.__getitem__, usages), SPLIT_OF_USAGE.values())
    return Dataset(name=NAME, labels=EXPRESSIONS, splits=splits, notes=notes)


def _rows(path: Path, file: Iterable[str]) -> Iterator[tuple[str, int, Pixels]]:
    reader = csv.reader(file)
    header = next(reader, None)
    if header is None:
        raise DataError(f"{path} is empty: a FER2013 file starts with the line {','.join(_COLUMNS)}")
    names = [name.strip() for name in header]
    if sorted(names) != sorted(_COLUMNS):
        raise DataError(f"{path} line 1: the columns are {','.join(names)[:80]!r}, expected {','.join(_COLUMNS)}")
    emotion, pixels, usage = (names.index(name) for name in _COLUMNS)
    for row in reader:
        if not row:
            continue
        try:
            if len(row) != len(_COLUMNS):
                raise ValueError(f"{len(row)} fields, expected {len(_COLUMNS)}; is the file cut off?")
            yield _usage(row[usage]), _label(row[emotion]), _face(row[pixels])
        except ValueError as error:
            raise DataError(f"{path} line {reader.line_num}: {error}") from error


def _usage(text: str) -> str:
    usage = text.strip()
    if usage not in SPLIT_OF_USAGE:
        raise ValueError(f"the Usage is {text[:40]!r}, expected {', '.join(SPLIT_OF_USAGE)}")
    return usage


def _label(text: str) -> int:
    label = int(text) if text.strip().isdecimal() and len(text) < _DIGITS else -1
    if not 0 <= label < len(EXPRESSIONS):
        raise ValueError(f"the emotion is {text[:40]!r}, expected 0 to {len(EXPRESSIONS) - 1}")
    return label


def _face(text: str) -> Pixels:
    words = text.split()
    if len(words) != SIDE * SIDE:
        raise ValueError(f"{len(words)} pixels, expected {SIDE * SIDE} ({SIDE} x {SIDE}); is the file cut off?")
    try:
        return np.frombuffer(bytes(map(int, words)), np.uint8).reshape(SIDE, SIDE)
    except ValueError:
        wrong = next(word for word in words if not (word.isdecimal() and len(word) < _DIGITS and int(word) < 256))
        raise ValueError(f"the pixel {wrong[:40]!r} is no whole number from 0 to 255") from None
