from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_bench import corruptions
from fer_bench.corruptions import CORRUPTIONS, SIDE, Corruption
from fer_edge import preprocessing
from fer_edge.preprocessing import Pixels

EACH = pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda one: f"{one.name} {one.severity}")


@pytest.fixture(scope="module")
def faces(mini_faces: dict[str, tuple[Any, Any]]) -> list[Pixels]:
    return list(mini_faces["public"][0][:20])


def random() -> np.random.Generator:
    return np.random.default_rng(1)


def dot(x: float, y: float) -> Pixels:
    """Give a black face with a soft light spot."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.asarray(np.rint(200 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)), np.uint8)


def spot(face: Pixels) -> tuple[float, float, float]:
    """Give x and y of the light's middle, and its spread in pixels along the longer axis."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    weights = face.astype(np.float64) / face.sum(dtype=np.float64)
    x, y = float((weights * columns).sum()), float((weights * rows).sum())
    at = np.stack([columns - x, rows - y]).reshape(2, -1)
    spread = np.linalg.eigvalsh((weights.ravel() * at) @ at.T)[-1]
    return x, y, float(np.sqrt(spread))


def of(name: str) -> list[Corruption]:
    return [one for one in CORRUPTIONS if one.name == name]


def test_what_the_issue_names_is_there_at_two_strengths_each() -> None:
    names = ["defocus", "motion", "noise", "low light", "JPEG", "shift", "rotation", "scale", "small"]
    assert [one.name for one in CORRUPTIONS] == [name for name in names for _ in range(2)]
    assert len({(one.name, one.severity) for one in CORRUPTIONS}) == len(CORRUPTIONS)


@EACH
def test_a_face_stays_a_face_of_its_size(corruption: Corruption, faces: list[Pixels]) -> None:
    before = [face.copy() for face in faces]
    corrupted = corruptions.corrupt(faces, corruption, 1)
    assert all(face.shape == (SIDE, SIDE) and face.dtype == np.uint8 for face in corrupted)
    assert all(np.any(face != clean) for face, clean in zip(corrupted, faces, strict=True))
    assert all(np.array_equal(face, clean) for face, clean in zip(faces, before, strict=True))


@EACH
def test_the_seed_and_the_number_of_the_face_tell_all(corruption: Corruption, faces: list[Pixels]) -> None:
    whole, part = corruptions.corrupt(faces, corruption, 5), corruptions.corrupt(faces[:3], corruption, 5)
    assert all(np.array_equal(one, other) for one, other in zip(whole, part, strict=False))
    # Where something is drawn at all: another seed, another picture; and each face has a draw of its own.
    drawn = corruption.name in ("motion", "noise", "low light", "shift")
    others = corruptions.corrupt(faces, corruption, 6)
    assert any(np.any(one != other) for one, other in zip(whole, others, strict=True)) == (
        drawn or corruption.name == "rotation"
    )
    if drawn:
        first, second = corruptions.corrupt([faces[0]] * 2, corruption, 5)
        assert np.any(first != second)


@pytest.mark.parametrize("name", dict.fromkeys(one.name for one in CORRUPTIONS if one.name != "scale"))
def test_the_second_strength_is_the_stronger(name: str, faces: list[Pixels]) -> None:
    clean = np.stack(faces).astype(np.float64)
    weak, strong = (np.abs(np.stack(corruptions.corrupt(faces, one, 1)) - clean).mean() for one in of(name))
    assert strong > 1.1 * weak


@pytest.mark.parametrize("radius", [1.0, 2.0])
def test_defocus_is_a_disc(radius: float) -> None:
    point = np.zeros((SIDE, SIDE), np.uint8)
    point[20, 30] = 255
    blurred = corruptions.defocus(point, random(), radius)
    rows, columns = np.nonzero(blurred)
    distance = np.hypot(rows - 20, columns - 30)
    assert distance.max() <= radius + 1
    assert int(blurred.sum()) == pytest.approx(255, abs=len(rows))
    # Full in the middle, and the same up, down, left and right.
    assert np.array_equal(blurred[10:31, 20:41], blurred[10:31, 20:41].T)
    assert blurred[20, 30] == blurred.max()


@pytest.mark.parametrize("length", [4.0, 7.0])
def test_motion_smears_along_a_line_of_its_length(length: float) -> None:
    clean = dot(24, 24)
    x, y, before = spot(clean)
    angles = []
    for seed in range(10):
        moved = corruptions.motion(clean, np.random.default_rng(seed), length)
        at_x, at_y, after = spot(moved)
        assert (at_x, at_y) == pytest.approx((x, y), abs=0.1)
        # A uniform movement adds its variance, a twelfth of its length squared, and the drawing a third of a pixel.
        assert after**2 - before**2 == pytest.approx(length**2 / 12, abs=0.5)
        angles.append(moved.astype(np.float64))
    assert np.ptp(angles, axis=0).max() > 20


@pytest.mark.parametrize(("electrons", "share"), [(500.0, 1.0), (150.0, 1.0), (1000.0, 0.25), (1000.0, 0.1)])
@pytest.mark.parametrize("level", [128, 220])
def test_noise_is_that_of_counted_light(electrons: float, share: float, level: int) -> None:
    face = np.full((SIDE, SIDE), level, np.uint8)
    noisy = np.stack([corruptions.noise(face, np.random.default_rng(seed), electrons, share) for seed in range(10)])
    expected = share * corruptions._light()[level]
    light = corruptions._light()[noisy]
    assert light.mean() == pytest.approx(expected, rel=0.02)
    # Shot noise has the variance of the count, read noise its own; rounding to grey levels adds a little.
    deviation = np.sqrt(expected * electrons + corruptions._READ_ELECTRONS**2) / electrons
    assert light.std() == pytest.approx(deviation, rel=0.06)


def test_grey_levels_are_srgb_s() -> None:
    light = corruptions._light()
    # From the standard: level 0, the end of its linear part, the middle, white.
    assert light[[0, 10, 128, 255]] == pytest.approx([0, 0.003035, 0.215861, 1], abs=1e-5)
    face = np.arange(256, dtype=np.uint8).reshape(16, 16)
    many = corruptions.noise(face, random(), 1e9)
    assert np.abs(many.astype(int) - face).max() <= 1


@pytest.mark.parametrize("quality", [30, 10])
def test_jpeg_is_what_a_jpeg_file_holds(quality: int, faces: list[Pixels], tmp_path: Any) -> None:
    path = str(tmp_path / "face.jpg")
    cv2.imwrite(path, faces[0], [cv2.IMWRITE_JPEG_QUALITY, quality])
    np.testing.assert_array_equal(corruptions.jpeg(faces[0], random(), quality), cv2.imread(path, cv2.IMREAD_GRAYSCALE))


@pytest.mark.parametrize("share", [0.04, 0.08])
def test_a_shift_is_so_far_in_any_direction(share: float) -> None:
    moves = []
    for seed in range(20):
        x, y, _ = spot(corruptions.shift(dot(24, 24), np.random.default_rng(seed), share))
        moves.append((x - 24, y - 24))
        assert np.hypot(x - 24, y - 24) == pytest.approx(share * SIDE, abs=0.1)
    for axis in zip(*moves, strict=True):
        assert min(axis) < -1
        assert max(axis) > 1


def test_a_rotation_is_about_the_middle_to_either_side() -> None:
    middle, sides = (SIDE - 1) / 2, set()
    for seed in range(10):
        x, y, _ = spot(corruptions.rotate(dot(middle + 15, middle), np.random.default_rng(seed), 10.0))
        angle = np.degrees(np.arctan2(y - middle, x - middle))
        assert abs(angle) == pytest.approx(10, abs=0.3)
        assert np.hypot(x - middle, y - middle) == pytest.approx(15, abs=0.2)
        sides.add(angle > 0)
    assert sides == {True, False}


@pytest.mark.parametrize("share", [0.85, 1.2])
def test_a_wider_box_makes_the_face_smaller(share: float) -> None:
    middle = (SIDE - 1) / 2
    x, y, _ = spot(corruptions.scale(dot(middle + 12, middle - 6), random(), share))
    assert (x - middle, y - middle) == pytest.approx((12 / share, -6 / share), abs=0.1)


def test_a_small_face_is_seen_as_the_device_sees_it(faces: list[Pixels]) -> None:
    seen = preprocessing.resize(preprocessing.resize(faces[0], 24, 24), SIDE, SIDE)
    np.testing.assert_array_equal(corruptions.small(faces[0], random(), 24), seen)


@pytest.mark.parametrize(
    "change",
    [
        lambda face: corruptions.defocus(face, random(), 2.0),
        lambda face: corruptions.motion(face, random(), 7.0),
        lambda face: corruptions.shift(face, random(), 0.08),
        lambda face: corruptions.rotate(face, random(), 10.0),
        lambda face: corruptions.scale(face, random(), 1.2),
    ],
)
def test_no_edge_is_dark(change: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]) -> None:
    even = np.full((SIDE, SIDE), 130, np.uint8)
    assert np.abs(change(even).astype(int) - 130).max() <= 1


def test_faces_of_other_sizes_are_brought_to_the_strengths_pixels(faces: list[Pixels]) -> None:
    assert corruptions.standard(np.zeros((200, 180), np.uint8)).shape == (SIDE, SIDE)
    np.testing.assert_array_equal(corruptions.standard(faces[0]), faces[0])
