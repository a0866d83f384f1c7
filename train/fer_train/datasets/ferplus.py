"""FER+: ten votes an image in place of FER2013's one label.

Source: Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", 2016, arXiv:1608.01041; https://github.com/microsoft/FERPlus.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from fer_edge import files
from fer_edge.errors import DataError, UsageError
from fer_edge.labels import EXPRESSIONS
from fer_train.datasets.lines import whole_lines

FerPlus = Literal["none", "majority", "soft"]
VOTES_FILE = "fer2013new.csv"

# FER+'s names of our labels, in the order of these, and of what an image may be instead.
_NAMES = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
_OURS = tuple(_NAMES.get(label, label) for label in EXPRESSIONS)
_OTHERS = {"contempt": "contempt", "unknown": "unknown", "NF": "no face"}
_COLUMNS = ("Usage", "Image name", *_OURS, *_OTHERS)


class Judgement(NamedTuple):
    """What the votes say of M images of N.

    Attributes:
        kept: [M] int64, numbers of the images that the votes give one of our labels, ascending.
        labels: [M] int64.
        targets: [M, 7] float32 shares of the votes, a row's sum 1; None where the majority is all that counts.
        note: How many were left out and why, for people.
    """

    kept: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    targets: npt.NDArray[np.float32] | None
    note: str


def read_votes(path: Path, usages: Sequence[str]) -> npt.NDArray[np.int64]:
    """Read the votes that lie beside a FER2013 CSV.

    Args:
        path: The FER2013 CSV.
        usages: The Usage of each of its N rows.

    Returns:
        [N, 10] int64: angry, disgust, fear, happy, sad, surprise, neutral, contempt, unknown, no face.

    Raises:
        UsageError: There is no such file.
        DataError: It cannot be read, or its rows are not those of the CSV.
    """
    votes_path = path.with_name(VOTES_FILE)
    if files.kind(votes_path) != "file":
        raise UsageError(f"no FER+ votes at {votes_path}: put {VOTES_FILE} of the FER+ data beside {path.name}")
    votes: list[list[int]] = []
    try:
        with votes_path.open(newline="", encoding="utf-8-sig") as file:
            for line, usage, row in _rows(votes_path, whole_lines(votes_path, file)):
                if len(votes) < len(usages) and usage != usages[len(votes)]:
                    raise DataError(
                        f"{votes_path} line {line}: the Usage is {usage[:40]!r}, that of row {len(votes) + 1} of "
                        f"{path.name} is {usages[len(votes)]!r}: both files must have the same images in the same order"
                    )
                votes.append(row)
    except OSError as error:
        raise DataError(f"cannot read {votes_path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{votes_path} is not a CSV text file: {error}") from error
    if len(votes) != len(usages):
        raise DataError(f"{votes_path} has {len(votes):,} rows, {path.name} has {len(usages):,}: one each is needed")
    return np.asarray(votes, np.int64)


def judge(votes: npt.NDArray[np.int64], mode: Literal["majority", "soft"]) -> Judgement:
    """Turn votes into labels, by FER+'s own rules: a single vote is a slip and not counted.

    Args:
        votes: [N, 10] from `read_votes`.
        mode: "majority" keeps images of which more than half of the votes name one of our labels; "soft" keeps those
            where none of contempt, unknown and no face has more votes than our first, and gives the shares of our
            labels as targets.
    """
    counted = np.where(votes > 1, votes, 0)
    winner = counted.argmax(axis=1)  # ours come first, so they win a tie
    ours = winner < len(_OURS)
    if mode == "majority":
        clear = 2 * counted.max(axis=1) > counted.sum(axis=1)
        undecided = "without a majority"
    else:
        clear = counted.any(axis=1)
        undecided = "without two equal votes"
    kept = np.flatnonzero(clear & ours)
    shares = counted[kept, : len(_OURS)].astype(np.float32)
    reasons = Counter({undecided: int(np.count_nonzero(~clear))})
    for number, reason in enumerate(_OTHERS.values(), start=len(_OURS)):
        reasons[reason] = int(np.count_nonzero(clear & (winner == number)))
    told = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)
    return Judgement(
        kept=kept,
        labels=winner[kept],
        targets=shares / shares.sum(axis=1, keepdims=True) if mode == "soft" else None,
        note=f"FER+ ({mode}) left out {len(votes) - len(kept):,} of {len(votes):,} images" + (told and f": {told}"),
    )


def _rows(path: Path, file: Iterable[str]) -> Iterator[tuple[int, str, list[int]]]:
    reader = csv.reader(file)
    names = [name.strip() for name in next(reader, [])]
    if sorted(names) != sorted(_COLUMNS):
        raise DataError(f"{path} line 1: the columns are {','.join(names)[:80]!r}, expected {','.join(_COLUMNS)}")
    usage, *columns = (names.index(name) for name in _COLUMNS if name != "Image name")
    for row in reader:
        if not row:
            continue
        if len(row) != len(_COLUMNS):
            raise DataError(f"{path} line {reader.line_num}: {len(row)} fields, expected {len(_COLUMNS)}")
        votes = [row[column].strip() for column in columns]
        if wrong := [vote for vote in votes if not (vote.isdecimal() and len(vote) < 4)]:
            raise DataError(f"{path} line {reader.line_num}: {wrong[0][:40]!r} is no number of votes")
        yield reader.line_num, row[usage].strip(), [int(vote) for vote in votes]
