from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fer_train import augmentation
from fer_train.keras_setup import tf
from fer_train.randomness import Generators
from fer_train.settings import AUGMENTATIONS

Floats = npt.NDArray[np.float32]
SEED = (1, 2)


@pytest.fixture(scope="module")
def faces(mini_faces: dict[str, tuple[Any, Any]]) -> Floats:
    return mini_faces["public"][0].astype(np.float32)[..., np.newaxis]


def seeded(seed: tuple[int, int] = SEED) -> Any:
    return tf.constant(seed, tf.int64)


def test_no_augmentation_is_none() -> None:
    assert augmentation.layers("none", 1) is None


@pytest.mark.parametrize("level", [level for level in AUGMENTATIONS if level != "none"])
def test_augmentation_changes_faces_within_their_range(level: str, faces: Floats) -> None:
    placed = augmentation.move(faces, level, np.array([1, 2]))
    changed = augmentation.layers(level, 1)(placed, training=True).numpy()
    assert changed.shape == faces.shape
    assert changed.dtype == np.float32
    assert changed.min() >= -1e-3
    assert changed.max() <= 255.001
    moved = np.abs(changed - faces).mean(axis=(1, 2, 3))
    # Nearly all faces: an unlucky few may turn, move and grow by next to nothing.
    assert np.mean(moved > 2) > 0.9
    # What comes out is still the face, as it is or mirrored.
    likeness = [
        max(np.corrcoef(a.ravel(), b.ravel())[0, 1] for b in (face, face[:, ::-1]))
        for a, face in zip(changed, faces, strict=True)
    ]
    assert np.median(likeness) > {"light": 0.6, "standard": 0.4, "camera": 0.4, "strong": 0.4}[level]


def test_no_level_moves_nothing(faces: Floats) -> None:
    assert augmentation.move(faces, "none", seeded()) is faces


@pytest.mark.parametrize(
    ("level", "degrees", "zoom", "shift"),
    [("light", 10, 0.1, 0.08), ("standard", 15, 0.15, 0.1), ("camera", 15, 0.15, 0.1)],
)
def test_a_move_turns_zooms_and_shifts_as_far_as_it_says(level: str, degrees: float, zoom: float, shift: float) -> None:
    # Pictures whose grey is the column, and the row, show where each pixel comes from.
    height, width = 40, 60
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    many = [
        augmentation.move(np.repeat(picture[np.newaxis, ..., np.newaxis], 200, axis=0), level, seeded()).numpy()
        for picture in (columns, rows)
    ]
    inside = (slice(15, 25), slice(20, 40))
    terms = np.stack([columns[inside] - 29.5, rows[inside] - 19.5, np.ones((10, 20))], axis=-1).reshape(-1, 3)
    right, down = (
        np.linalg.lstsq(terms, found[:, *inside, 0].reshape(200, -1).T.astype(np.float64), rcond=None)[0].T
        for found in many
    )
    # A turn and one zoom for both axes: no shear, no stretching.
    np.testing.assert_allclose(right[:, 0], down[:, 1], atol=1e-3)
    np.testing.assert_allclose(right[:, 1], -down[:, 0], atol=1e-3)
    angles, sizes = np.degrees(np.arctan2(down[:, 0], right[:, 0])), np.hypot(right[:, 0], right[:, 1])
    for drawn, furthest in (
        (angles, degrees),
        (sizes - 1, zoom),
        (right[:, 2] - 29.5, shift * width),
        (down[:, 2] - 19.5, shift * height),
    ):
        # All of the range is used, both ways, and no more.
        assert 0.9 * furthest < drawn.max() < 1.001 * furthest
        assert 0.9 * furthest < -drawn.min() < 1.001 * furthest


def test_moves_are_the_seeds(faces: Floats) -> None:
    moved = augmentation.move(faces, "light", seeded()).numpy()
    np.testing.assert_array_equal(augmentation.move(faces, "light", seeded()).numpy(), moved)
    assert not np.array_equal(augmentation.move(faces, "light", seeded((1, 3))).numpy(), moved)


def test_the_border_is_repeated() -> None:
    white = np.full((50, 20, 20, 1), 255, np.float32)
    np.testing.assert_allclose(augmentation.move(white, "standard", seeded()).numpy(), 255, atol=1e-2)


def test_only_strong_has_a_layer_of_noise() -> None:
    # A face of one grey level stays one under everything else.
    flat = np.full((8, 48, 48, 1), 100, np.float32)
    spread = {
        level: augmentation.layers(level, 1)(flat, training=True).numpy().std(axis=(1, 2, 3)).mean()
        for level in AUGMENTATIONS
        if level != "none"
    }
    assert spread == pytest.approx(
        {"light": 0, "standard": 0, "camera": 0, "strong": augmentation.NOISE}, rel=0.05, abs=0.01
    )


def test_augmentation_is_for_training_only(faces: Floats) -> None:
    layers = augmentation.layers("strong", 1)
    np.testing.assert_array_equal(layers(faces, training=False).numpy(), faces)
    assert not np.array_equal(layers(faces, training=True).numpy(), layers(faces, training=True).numpy())


def test_a_place_in_the_training_repeats_its_augmentation(faces: Floats) -> None:
    # Small faces, as the layers run without a graph here, which is slow.
    few = faces[:4, ::3, ::3]

    def at(position: int, seed: int, drawn_before: int) -> Floats:
        layers = augmentation.layers("strong", seed)
        layers.build(few.shape)
        for _ in range(drawn_before):
            layers(few, training=True)
        Generators(layers, seed).place(position)
        changed: Floats = layers(few, training=True).numpy()
        return changed

    expected = at(7, 1, 0)
    np.testing.assert_array_equal(at(7, 1, 2), expected)
    assert not np.array_equal(at(8, 1, 0), expected)
    assert not np.array_equal(at(7, 2, 0), expected)


def test_a_rectangle_of_every_second_face_becomes_its_mean(faces: Floats) -> None:
    many = np.concatenate([faces] * 3)
    erased = augmentation.erase(many, seeded()).numpy()
    shares = []
    for before, after in zip(many[..., 0], erased[..., 0], strict=True):
        changed = before != after
        if not changed.any():
            continue
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        rectangle = after[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        # A pixel that had the mean already would be no change, but belongs to it: hence by value.
        np.testing.assert_allclose(rectangle, before.mean(), rtol=1e-5)
        shares.append(rectangle.size / before.size)
    assert 0.4 < len(shares) / len(many) < 0.6
    # On average (0.02 + 0.2) / 2; whole pixels make the smallest and the largest a little more extreme.
    assert np.mean(shares) == pytest.approx(0.11, abs=0.02)
    assert min(shares) > 0.01
    assert max(shares) < 0.23
    np.testing.assert_array_equal(augmentation.erase(many, seeded()).numpy(), erased)
    assert not np.array_equal(augmentation.erase(many, seeded((1, 3))).numpy(), erased)


def mixed(pixels: Floats, targets: Floats, seed: int) -> tuple[Floats, Floats]:
    found, shares = augmentation.mix(tf.constant(pixels), tf.constant(targets), seeded((1, seed)))
    return found.numpy(), shares.numpy()


def black_and_white() -> tuple[Floats, Floats]:
    """Give 16 black faces of class 0 and 16 white ones of class 1, so that a pixel tells where it comes from."""
    number = np.repeat([0, 1], 16)
    pixels = np.broadcast_to(255 * number.astype(np.float32)[:, None, None, None], (32, 24, 20, 1))
    return np.ascontiguousarray(pixels), np.eye(3, dtype=np.float32)[number]


def test_mixed_targets_are_the_shares_of_pixels() -> None:
    pixels, targets = black_and_white()
    kinds = []
    for seed in range(0, 200, 10):
        found, shares = mixed(pixels, targets, seed)
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
        # The mean grey is the share of the white face, whether it was cut in or blended.
        np.testing.assert_allclose(found.mean(axis=(1, 2, 3)) / 255, shares[:, 1], atol=1e-5)
        whole = np.isin(found, (0, 255)).all(axis=(1, 2, 3))
        kinds.append("cut" if whole.all() else "blended")
        if kinds[-1] == "blended":
            # One share for the whole face.
            assert np.ptp(found, axis=(1, 2, 3)).max() == 0
        else:
            assert np.mean((shares[:, 0] > 0) & (shares[:, 0] < 1)) > 0.5
    assert 4 < kinds.count("cut") < 16


def test_what_is_cut_in_is_a_rectangle_of_the_partner() -> None:
    pixels, targets = black_and_white()
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, pixels.shape).astype(np.float32)
    seed = next(s for s in range(0, 200, 10) if np.isin(mixed(*black_and_white(), s)[0], (0, 255)).all())
    found, shares = mixed(pixels, targets, seed)
    for one, own, other, share in zip(found, pixels, pixels[::-1], shares[:, 0], strict=True):
        foreign = (one != own)[..., 0]
        np.testing.assert_array_equal(one[foreign], other[foreign])
        if foreign.any():
            rows, columns = np.flatnonzero(foreign.any(axis=1)), np.flatnonzero(foreign.any(axis=0))
            inside = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            np.testing.assert_array_equal(one[inside], other[inside])
        assert 0 <= share <= 1


def test_mixing_is_the_seeds(faces: Floats) -> None:
    targets = np.eye(7, dtype=np.float32)[np.arange(len(faces)) % 7]
    first = mixed(faces, targets, 10)
    for part, again in zip(first, mixed(faces, targets, 10), strict=True):
        np.testing.assert_array_equal(part, again)
    assert not np.array_equal(first[0], mixed(faces, targets, 20)[0])


def test_a_single_face_is_mixed_with_itself(faces: Floats) -> None:
    targets = np.eye(7, dtype=np.float32)[:1]
    for seed in (0, 10, 20, 30):
        found, shares = mixed(faces[:1], targets, seed)
        np.testing.assert_allclose(found, faces[:1], atol=1e-3)
        np.testing.assert_allclose(shares, targets, atol=1e-6)
