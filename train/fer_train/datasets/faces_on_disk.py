"""Faces that do not fit into memory: where each one is, and what is known of it without its pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from fer_edge import preprocessing
from fer_edge.box import Box
from fer_edge.errors import DataError, FerError
from fer_edge.images import read_gray
from fer_edge.preprocessing import Pixels


class Look(NamedTuple):
    """What is known of a face whose pixels are gone.

    Attributes:
        digest: SHA-256 of shape and pixels: equal faces, equal digest.
        shape: Rows and columns.
        blank: Whether all pixels are equal.
    """

    digest: bytes
    shape: tuple[int, int]
    blank: bool

    @classmethod
    def at(cls, face: Pixels) -> Look:
        """Look at a face, [H, W] uint8."""
        rows, columns = face.shape
        digest = hashlib.sha256(repr(face.shape).encode() + np.ascontiguousarray(face).tobytes()).digest()
        return cls(digest, (rows, columns), bool(face.min() == face.max()))


class Place(NamedTuple):
    """Where a face is.

    Attributes:
        path: The picture.
        box: Of the face in the picture, pixels; None where the face fills it.
        margin: Added to each side of the box, as a fraction of that side.
    """

    path: Path
    box: Box | None = None
    margin: float = 0.0

    def cut(self, picture: Pixels) -> Pixels:
        """Cut the face out of its picture, [H, W] uint8. Raises `ValueError` where the box lies outside."""
        # A copy, as a view would keep the whole picture in memory.
        return picture if self.box is None else preprocessing.cut(picture, self.box, self.margin).copy()


class FacesOnDisk(Sequence[Pixels]):
    """Faces that are decoded when asked for, [H, W] uint8 each; the picture decoded last is kept for its other faces.

    Attributes:
        looks: What is known of each face.
    """

    def __init__(self, places: Iterable[Place], looks: Iterable[Look]) -> None:
        """Take faces as they were found, a look for each place."""
        self._places = tuple(places)
        self.looks = tuple(looks)
        self._last: tuple[Path, Pixels] | None = None

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, number: int) -> Pixels: ...
    @overload
    def __getitem__(self, number: slice) -> FacesOnDisk: ...
    def __getitem__(self, number: int | slice) -> Pixels | FacesOnDisk:
        """Decode one face, or give some without decoding them.

        Raises:
            DataError: The file cannot be read any more, or holds another picture than when it was found.
        """
        if isinstance(number, slice):
            return self.take(np.arange(len(self))[number])
        place = self._places[number]
        try:
            face = place.cut(self._picture(place.path))
        except FerError as error:
            raise DataError(str(error)) from error
        except ValueError as error:
            raise DataError(f"{place.path} has changed since it was read: {error}") from error
        if Look.at(face) != self.looks[number]:
            raise DataError(f"{place.path} has changed since it was read: start again")
        return face

    def take(self, chosen: npt.NDArray[np.integer]) -> FacesOnDisk:
        """Give the faces of some numbers, in their order, without decoding them."""
        numbers = chosen.tolist()
        return FacesOnDisk((self._places[number] for number in numbers), (self.looks[number] for number in numbers))

    def _picture(self, path: Path) -> Pixels:
        last = self._last  # one look at it, as several threads may come here
        if last is None or last[0] != path:
            last = self._last = path, read_gray(path)
        return last[1]


class Gathering:
    """Faces as a reader finds them: kept while they fit into the memory allowed, otherwise only where they are."""

    def __init__(self, memory: int) -> None:
        """Allow a number of bytes for pixels."""
        self._room = memory
        self._faces: list[Pixels] = []
        self._places: list[Place] = []
        self._looks: list[Look] = []

    def __len__(self) -> int:
        return len(self._places)

    def add(self, place: Place, face: Pixels) -> None:
        """Add a face, [H, W] uint8, and where it came from."""
        fitted, self._room = self._room >= 0, self._room - face.nbytes
        self._places.append(place)
        if self._room >= 0:
            self._faces.append(face)
            return
        if fitted:
            self._looks.extend(map(Look.at, self._faces))
            self._faces.clear()
        self._looks.append(Look.at(face))

    def faces(self) -> tuple[Pixels, ...] | FacesOnDisk:
        """Give all faces in the order they came."""
        return tuple(self._faces) if self._room >= 0 else FacesOnDisk(self._places, self._looks)
