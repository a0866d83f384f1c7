"""The self-test that a model file carries: which made faces, and what the model says of each.

The faces are not stored. Integer arithmetic makes them from small numbers, so they are the same bytes on every machine
and with every version of NumPy: no random generator, no float, no resizing (OpenCV's differs by a grey level between
processors). They look roughly like faces, which is where a model's activations have the ranges that it was made for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

# Of the coordinates: a face is 1024 wide and high, whatever its pixels.
_ONE = 1024
_LARGEST_SEED = 2**31 - 2
_Whole = npt.NDArray[np.int64]

Probability = Annotated[float, Meta(ge=0, le=1)]


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One made face.

    Attributes:
        seed: What `face` makes it from.
        expected: Label to the probability that the portable kernels give. By label and not by position: labels in
            another order than the output's are noticed.
    """

    seed: Annotated[int, Meta(ge=1, le=_LARGEST_SEED)]
    expected: dict[str, Probability]


class SelfTest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a model file proves itself on a device; `fer_edge.verifying` makes and runs it.

    Attributes:
        cases: The faces and what is expected.
        portable_machines: Kinds of processor, as `platform.machine()` names them, on which the portable kernels of all
            interpreters agree with each other.
        portable_tolerance: Largest difference of a probability with the portable kernels there.
        tolerance: The same with an interpreter's default kernels, and with the portable ones elsewhere.
    """

    cases: Annotated[tuple[Case, ...], Meta(min_length=1, max_length=32)]
    portable_machines: tuple[str, ...]
    portable_tolerance: Probability
    tolerance: Probability


def face(seed: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Make something like a face: a bright oval with brows, eyes, a nose and a mouth, lit from somewhere.

    Args:
        seed: 1..2147483646; another face for each.
        height: Rows wanted.
        width: Columns wanted.

    Returns:
        [height, width] uint8; equal arguments give equal bytes everywhere.
    """
    numbers = _numbers(seed)

    def draw(low: int, high: int) -> int:
        return low + next(numbers) % (high - low + 1)

    y = ((2 * np.arange(height, dtype=np.int64) + 1) * _ONE // (2 * height))[:, np.newaxis]
    x = ((2 * np.arange(width, dtype=np.int64) + 1) * _ONE // (2 * width))[np.newaxis, :]
    level = draw(40, 110) + _blob(x, y, 512, 540, draw(640, 860), draw(740, 980)) * draw(90, 150) // _ONE
    level += _blob(x, y, draw(0, _ONE), draw(0, _ONE), 700, 700) * draw(-50, 50) // _ONE
    apart, eyes, lids = draw(170, 230), draw(360, 430), draw(35, 110)
    brows, tilt = eyes - draw(60, 150), draw(-70, 70)
    dark, bushy = draw(50, 160), draw(20, 110)
    mouth, opened, smile, reach = draw(720, 800), draw(25, 190), draw(-90, 90), draw(80, 240)
    lips, corners = draw(40, 180), draw(40, 130)
    for side in (-1, 1):
        level -= _blob(x, y, 512 + side * apart, eyes, 110, lids) * dark // _ONE
        for part in (-1, 1):
            level -= _blob(x, y, 512 + side * (apart + part * 50), brows + part * tilt, 100, 45) * bushy // _ONE
        level -= _blob(x, y, 512 + side * reach, mouth - smile, 90, 45) * corners // _ONE
    level -= _blob(x, y, 512, 600, draw(60, 110), draw(60, 110)) * draw(10, 50) // _ONE
    level -= _blob(x, y, 512, mouth, reach, opened) * lips // _ONE
    return np.clip(level, 8, 247).astype(np.uint8)


def _numbers(seed: int) -> Iterator[int]:
    """Give the minimal standard generator's numbers (Park, Miller and Stockmeyer 1993), 1..2147483646."""
    number = seed
    for drawn in range(1 << 31):
        number = number * 48_271 % 2_147_483_647
        if drawn >= 8:  # the first few of neighbouring small seeds resemble each other
            yield number


def _blob(x: _Whole, y: _Whole, across: int, down: int, wide: int, high: int) -> _Whole:
    """Give a smooth hill of height 1024 around a point that ends at an ellipse: [height, width]."""
    distance = ((x - across) * _ONE // wide) ** 2 + ((y - down) * _ONE // high) ** 2
    hill = np.maximum(0, _ONE - distance // _ONE)
    return np.asarray(hill * hill // _ONE, np.int64)
