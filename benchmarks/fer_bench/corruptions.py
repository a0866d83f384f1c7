"""What cheap cameras and loose boxes do to faces, by NumPy and OpenCV alone, the same for the same seed.

After Hendrycks and Dietterich 2019, arXiv:1903.12261, at strengths for faces of 48 pixels, with what a detector does to
the cut. Noise is that of a sensor, shot noise of the light and read noise of the electronics, as in Foi et al. 2008,
doi:10.1109/TIP.2008.2001399, counted in light, of which grey levels are sRGB's function (IEC 61966-2-1). Where a cut
would show more than the face holds, its edge goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from math import ceil
from zlib import crc32

import cv2
import numpy as np
import numpy.typing as npt

from fer_edge import preprocessing
from fer_edge.preprocessing import Floats, Pixels

# The pixels that strengths are given in: the size of the faces of FER2013.
SIDE = 48
_READ_ELECTRONS = 2.0
# Points a pixel that kernels are drawn by.
_FINE = 8

Random = np.random.Generator
Change = Callable[[Pixels, Random], Pixels]


@dataclass(frozen=True)
class Corruption:
    """One of them at one strength.

    Attributes:
        name: Such as "motion".
        severity: In words, such as "4 px".
        apply: From a face [SIDE, SIDE] uint8 and what is drawn to the corrupted face of the same size.
    """

    name: str
    severity: str
    apply: Change


def standard(face: Pixels) -> Pixels:
    """Bring a face [H, W] uint8 to the size that strengths are meant for: [SIDE, SIDE] uint8."""
    return preprocessing.resize(face, SIDE, SIDE)


def corrupt(faces: Sequence[Pixels], corruption: Corruption, seed: int) -> list[Pixels]:
    """Corrupt faces, each [SIDE, SIDE] uint8; what is drawn depends on seed, corruption and the face's number alone."""
    key = crc32(f"{corruption.name} {corruption.severity}".encode())
    return [corruption.apply(face, np.random.default_rng((seed, key, number))) for number, face in enumerate(faces)]


def defocus(face: Pixels, _random: Random, radius: float) -> Pixels:
    """Blur by a lens out of focus: a disc of this radius, pixels."""
    return _filtered(face, _disc(radius))


def motion(face: Pixels, random: Random, length: float) -> Pixels:
    """Blur by a straight movement of this length, pixels, in any direction."""
    angle, side = random.uniform(0, np.pi), 2 * ceil(length / 2) + 3
    steps = np.linspace(-length / 2, length / 2, _FINE * ceil(length) + 1)
    x, y = side // 2 + steps * np.cos(angle), side // 2 + steps * np.sin(angle)
    kernel = np.zeros((side, side), np.float32)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    for dx in (0, 1):
        for dy in (0, 1):
            np.add.at(kernel, (top + dy, left + dx), (1 - np.abs(x - left - dx)) * (1 - np.abs(y - top - dy)))
    return _filtered(face, kernel / kernel.sum())


def noise(face: Pixels, random: Random, electrons: float, light: float = 1.0) -> Pixels:
    """Take the picture by a sensor that white fills with so many electrons, in this share of the light, 0..1."""
    counted = random.poisson(electrons * light * _light()[face]) + random.normal(0, _READ_ELECTRONS, face.shape)
    seen = np.clip(counted / electrons, 0, 1)
    level = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(255 * level), np.uint8)


def jpeg(face: Pixels, _random: Random, quality: int) -> Pixels:
    """Compress as JPEG of this quality, 0..100, and back."""
    _, content = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_GRAYSCALE), np.uint8)


def shift(face: Pixels, random: Random, share: float) -> Pixels:
    """Cut the face beside where it is: by this share of its side, in any direction."""
    angle, by = random.uniform(0, 2 * np.pi), share * SIDE
    return _moved(face, np.array([[1, 0, by * np.cos(angle)], [0, 1, by * np.sin(angle)]]))


def rotate(face: Pixels, random: Random, degrees: float) -> Pixels:
    """Hold the head or the camera askew: by so many degrees, to either side."""
    middle = (SIDE - 1) / 2
    return _moved(face, cv2.getRotationMatrix2D((middle, middle), degrees * random.choice((-1, 1)), 1.0))


def scale(face: Pixels, _random: Random, share: float) -> Pixels:
    """Cut the face too narrow (share below 1) or too wide (above 1): by a box of this share of its side."""
    middle = (SIDE - 1) / 2
    return _moved(face, cv2.getRotationMatrix2D((middle, middle), 0.0, 1 / share))


def small(face: Pixels, _random: Random, side: int) -> Pixels:
    """See the face so small, pixels, and enlarge it as the device does."""
    return standard(preprocessing.resize(face, side, side))


def _filtered(face: Pixels, kernel: Floats) -> Pixels:
    return np.asarray(cv2.filter2D(face, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.uint8)


def _moved(face: Pixels, matrix: npt.NDArray[np.integer | np.floating]) -> Pixels:
    moved = cv2.warpAffine(face, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


@cache
def _light() -> npt.NDArray[np.float64]:
    """Give the light of each grey level, [256] of 0..1."""
    level = np.arange(256) / 255
    light: npt.NDArray[np.float64] = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return light


@cache
def _disc(radius: float) -> Floats:
    """Give a kernel that is a disc; a pixel that its edge crosses counts by the share inside."""
    side = 2 * ceil(radius) + 1
    points = (np.arange(side * _FINE) + 0.5) / _FINE - side / 2
    inside = points[:, np.newaxis] ** 2 + points**2 <= (radius + 0.5) ** 2
    kernel = inside.reshape(side, _FINE, side, _FINE).mean(axis=(1, 3))
    return np.asarray(kernel / kernel.sum(), np.float32)


CORRUPTIONS = (
    Corruption("defocus", "radius 1 px", partial(defocus, radius=1.0)),
    Corruption("defocus", "radius 2 px", partial(defocus, radius=2.0)),
    Corruption("motion", "4 px", partial(motion, length=4.0)),
    Corruption("motion", "7 px", partial(motion, length=7.0)),
    Corruption("noise", "500 electrons", partial(noise, electrons=500.0)),
    Corruption("noise", "150 electrons", partial(noise, electrons=150.0)),
    Corruption("low light", "1/4 of 1,000 electrons", partial(noise, electrons=1000.0, light=0.25)),
    Corruption("low light", "1/10 of 1,000 electrons", partial(noise, electrons=1000.0, light=0.1)),
    Corruption("JPEG", "quality 30", partial(jpeg, quality=30)),
    Corruption("JPEG", "quality 10", partial(jpeg, quality=10)),
    Corruption("shift", "4 %", partial(shift, share=0.04)),
    Corruption("shift", "8 %", partial(shift, share=0.08)),
    Corruption("rotation", "5 degrees", partial(rotate, degrees=5.0)),
    Corruption("rotation", "10 degrees", partial(rotate, degrees=10.0)),
    Corruption("scale", "0.85 of the box", partial(scale, share=0.85)),
    Corruption("scale", "1.2 of the box", partial(scale, share=1.2)),
    Corruption("small", "32 px", partial(small, side=32)),
    Corruption("small", "24 px", partial(small, side=24)),
)
