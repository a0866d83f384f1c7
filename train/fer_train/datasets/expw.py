"""ExpW, Expression in-the-Wild: whole photos, and a list of the faces in them.

A line of `label.lst` is `image_name face_id_in_image top left right bottom confidence expression_label`, the box in
pixels. Source: Zhang, Luo, Loy, Tang, "From Facial Expression Recognition to Interpersonal Relation Prediction",
IJCV 2018, arXiv:1609.06426.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fer_edge import files
from fer_edge.box import Box
from fer_edge.errors import DataError, FerError
from fer_edge.images import read_gray
from fer_edge.labels import EXPRESSIONS
from fer_edge.preprocessing import Pixels
from fer_train.datasets.dataset import Dataset, Split
from fer_train.datasets.faces_on_disk import Gathering, Place

NAME = "ExpW"
LIST = "label.lst"
# The boxes end at brow and chin; the mouth of a surprised face does not.
MARGIN = 0.1
# Pixels that a box may reach over the photo's edge: rounding, and an edge that counts or does not.
SLACK = 2
_FOLDERS = ("image/origin", "image", "origin")
_FIELDS = 8
# Of a number of pixels, with its sign.
_DIGITS = 8


class _Face(NamedTuple):
    line: int
    box: Box
    label: int


def find_list(path: Path) -> Path | None:
    """Give the list of an ExpW folder, or of a path that is one itself; None where the path is no ExpW data."""
    if files.kind(path) == "file":
        return path if path.suffix == ".lst" else None
    return next((found for found in (path / "label" / LIST, path / LIST) if files.kind(found) == "file"), None)


def read(listed: Path, memory: int) -> Dataset:
    """Cut all faces out of their photos, each widened by `MARGIN`, as one split "train": ExpW has no other.

    Photos that are missing or do not decode are skipped and named in the result.

    Args:
        listed: The `label.lst`; the photos lie in `image/origin`, `image` or `origin` beside it or one folder up, or
            right beside it.
        memory: Bytes of pixels to keep; where there are more, the faces stay on disk.

    Raises:
        DataError: The list cannot be read, a line is malformed, a box does not lie in its photo, or no photo is found.
    """
    photos = _faces_by_photo(listed)
    folder = _photo_folder(listed, photos)
    found, skipped = Gathering(memory), list[str]()
    labels: list[int] = []
    for name, faces in photos.items():
        path = folder / name
        try:
            photo = read_gray(path)
        except FerError as error:
            skipped.append(str(error))
            continue
        for face in faces:
            _check(listed, face, name, photo)
            place = Place(path, face.box, MARGIN)
            found.add(place, place.cut(photo))
            labels.append(face.label)
    if not labels:
        raise DataError(f"no photo that {listed} names can be decoded; the first: {skipped[0]}")
    whole = Split(found.faces(), np.asarray(labels, np.int64))
    return Dataset(name=NAME, labels=EXPRESSIONS, splits={"train": whole}, skipped=tuple(skipped))


def _faces_by_photo(listed: Path) -> dict[str, list[_Face]]:
    photos: defaultdict[str, list[_Face]] = defaultdict(list)
    try:
        lines = files.read_bytes(listed, "list").decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{listed} is not a text file: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            name, face = _parse(number, line.split())
        except ValueError as error:
            raise DataError(f"{listed} line {number}: {error}") from error
        photos[name].append(face)
    if not photos:
        raise DataError(f"{listed} names no face")
    return photos


def _parse(line: int, fields: list[str]) -> tuple[str, _Face]:
    if len(fields) != _FIELDS:
        raise ValueError(f"{len(fields)} fields, expected {_FIELDS}; is the file cut off?")
    name, _, *edges, confidence, expression = fields
    if Path(name).is_absolute() or ".." in Path(name).parts or not name.isprintable():
        raise ValueError(f"the photo {name[:80]!r} does not lie in the folder of the photos")
    try:
        if max(map(len, edges)) > _DIGITS:
            raise ValueError
        top, left, right, bottom = map(int, edges)
        float(confidence)
    except ValueError:
        raise ValueError(f"{' '.join(fields[2:7])[:80]!r} are no box in whole pixels and its confidence") from None
    if expression not in map(str, range(len(EXPRESSIONS))):
        raise ValueError(f"the expression is {expression[:40]!r}, expected 0 to {len(EXPRESSIONS) - 1}")
    return name, _Face(line, Box(left, top, right - left, bottom - top), int(expression))


def _photo_folder(listed: Path, names: dict[str, list[_Face]]) -> Path:
    bases = (listed.parent, listed.absolute().parent.parent)
    folders = [*(base / folder for base in bases for folder in _FOLDERS), listed.parent]
    for folder in folders:
        if folder.is_dir() and any(files.kind(folder / name) == "file" for name in names):
            return folder
    raise DataError(f"{listed} names no photo that is there: looked in {', '.join(map(str, folders))}")


def _check(listed: Path, face: _Face, name: str, photo: Pixels) -> None:
    rows, columns = photo.shape
    left, top, width, height = face.box
    right, bottom = left + width, top + height
    if right <= left or bottom <= top:
        fault = "is empty or inverted in"
    elif min(left, top) < -SLACK or right > columns + SLACK or bottom > rows + SLACK:
        fault = "reaches out of"
    elif left >= columns or top >= rows or right <= 0 or bottom <= 0:
        fault = "lies outside"
    else:
        return
    raise DataError(
        f"{listed} line {face.line}: the box top {top}, left {left}, right {right}, bottom {bottom} {fault} {name} of "
        f"{columns} x {rows} pixels"
    )
