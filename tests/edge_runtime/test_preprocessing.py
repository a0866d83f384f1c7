from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_edge.box import Box
from fer_edge.metadata import InputSpec
from fer_edge.preprocessing import cut, face_pixels, fit_face, pixel_values, resize, standardize, to_gray, to_input

RANDOM = np.random.default_rng(7)


def noise(*shape: int) -> npt.NDArray[np.uint8]:
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


def spec(**fields: Any) -> InputSpec:
    return InputSpec(
        **({"height": 48, "width": 48, "channels": 1, "color": "gray", "scale": 1 / 255, "offset": 0.0} | fields)
    )


def test_grey_is_the_same_array() -> None:
    picture = noise(5, 7)
    assert to_gray(picture) is picture


@pytest.mark.parametrize(
    ("color", "luma"),
    [
        # BT.601: 0.299 R + 0.587 G + 0.114 B, given as BGR.
        ((0, 0, 0), 0),
        ((255, 255, 255), 255),
        ((255, 0, 0), 29),
        ((0, 255, 0), 150),
        ((0, 0, 255), 76),
        ((10, 200, 30), 128),
    ],
)
def test_luma(color: tuple[int, int, int], luma: int) -> None:
    picture = np.full((4, 6, 3), color, np.uint8)
    opaque = np.dstack([picture, noise(4, 6)])
    expected = np.full((4, 6), luma, np.uint8)
    np.testing.assert_array_equal(to_gray(picture), expected)
    np.testing.assert_array_equal(to_gray(opaque), expected)


def test_one_channel_is_grey() -> None:
    picture = noise(4, 6, 1)
    np.testing.assert_array_equal(to_gray(picture), picture[:, :, 0])


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 6), np.float32),
        np.zeros((4, 6, 3), np.uint16),
        np.zeros(4, np.uint8),
        np.zeros((1, 4, 6, 3), np.uint8),
        np.zeros((4, 6, 2), np.uint8),
        np.zeros((4, 6, 5), np.uint8),
    ],
)
def test_what_is_no_picture(picture: npt.NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="a picture"):
        to_gray(picture)


def test_resizing_to_the_same_size_changes_nothing() -> None:
    face = noise(48, 48)
    np.testing.assert_array_equal(resize(face, 48, 48), face)


def test_shrinking_takes_the_mean_of_the_area() -> None:
    face = np.zeros((4, 8), np.uint8)
    # In the corners, where interpolation between the four middle pixels would not look.
    face[0, 0], face[3, 7] = 160, 80
    np.testing.assert_array_equal(resize(face, 1, 2), [[10, 5]])


def test_growing_interpolates() -> None:
    face = np.array([[0, 100], [0, 100]], np.uint8)
    np.testing.assert_array_equal(resize(face, 2, 4), [[0, 25, 75, 100]] * 2)


def test_a_face_that_shrinks_on_one_side_only_is_interpolated() -> None:
    face = noise(40, 60)
    np.testing.assert_array_equal(resize(face, 48, 48), cv2.resize(face, (48, 48), interpolation=cv2.INTER_LINEAR))


@pytest.mark.parametrize(
    ("input_spec", "standard", "fitted"),
    [
        (spec(), (48, 48), (48, 48)),
        (spec(height=96, width=96), (96, 96), (96, 96)),
        (spec(height=96, width=96, face_size=48), (48, 48), (96, 96)),
        (spec(height=64, width=80), (64, 80), (64, 80)),
    ],
)
@pytest.mark.parametrize("size", [(20, 20), (48, 48), (200, 150)])
def test_sizes_of_a_face(
    input_spec: InputSpec, standard: tuple[int, int], fitted: tuple[int, int], size: tuple[int, int]
) -> None:
    face = noise(*size)
    once = standardize(face, input_spec)
    assert once.shape == standard
    np.testing.assert_array_equal(standardize(once, input_spec), once)
    # Training keeps standardized faces: fitting them later is the same as fitting the original.
    np.testing.assert_array_equal(fit_face(once, input_spec), fit_face(face, input_spec))
    assert fit_face(face, input_spec).shape == fitted
    assert fit_face(face, input_spec).dtype == np.uint8


def test_a_face_loses_what_the_training_faces_never_had() -> None:
    stripes = np.tile(np.array([0, 255], np.uint8), (96, 48))
    sharp, blurred = (
        fit_face(stripes, spec(height=96, width=96)),
        fit_face(stripes, spec(height=96, width=96, face_size=48)),
    )
    assert sharp.std() > 100
    assert blurred.std() == 0


@pytest.mark.parametrize(
    ("box", "margin", "rows", "columns"),
    [
        (Box(2, 3, 4, 5), 0.0, (3, 8), (2, 6)),
        (Box(2, 3, 4, 4), 0.25, (2, 8), (1, 7)),
        (Box(0, 0, 4, 4), 0.5, (0, 6), (0, 6)),
        (Box(-3, -2, 5, 5), 0.0, (0, 3), (0, 2)),
        (Box(15, 8, 10, 10), 0.0, (8, 12), (15, 20)),
        (Box(-5, -5, 100, 100), 1.0, (0, 12), (0, 20)),
        (Box(19, 11, 1, 1), 0.0, (11, 12), (19, 20)),
        (Box(20, 11, 2, 2), 0.5, (10, 12), (19, 20)),
    ],
)
def test_cutting(box: Box, margin: float, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    picture = noise(12, 20)
    face = cut(picture, box, margin)
    np.testing.assert_array_equal(face, picture[slice(*rows), slice(*columns)])
    assert np.shares_memory(face, picture)


@pytest.mark.parametrize(
    "box", [Box(20, 0, 5, 5), Box(0, 12, 5, 5), Box(-5, 0, 5, 5), Box(3, 3, 0, 5), Box(3, 3, 5, 0)]
)
def test_cutting_outside(box: Box) -> None:
    with pytest.raises(ValueError, match=r"Box\(.*\) lies outside the picture of 20 x 12"):
        cut(noise(12, 20), box)


def test_a_face_of_a_picture_is_cut_with_its_margin_and_fitted() -> None:
    picture, model = noise(100, 100), spec(height=96, width=96, face_size=48, margin=0.1)
    np.testing.assert_array_equal(
        face_pixels(picture, Box(20, 30, 40, 50), model), fit_face(picture[25:85, 16:64], model)
    )


@pytest.mark.parametrize(
    ("scale", "offset", "values"),
    [
        (1.0, 0.0, {0: 0.0, 1: 1.0, 255: 255.0}),
        (1 / 127.5, -1.0, {0: -1.0, 255: 1.0}),
        (1 / 255, 0.0, {0: 0.0, 51: 0.2, 255: 1.0}),
    ],
)
def test_values_of_pixels(scale: float, offset: float, values: dict[int, float]) -> None:
    table = pixel_values(spec(scale=scale, offset=offset))
    assert (table.shape, table.dtype) == ((256,), np.float32)
    assert {pixel: float(table[pixel]) for pixel in values} == {
        pixel: float(np.float32(value)) for pixel, value in values.items()
    }


@pytest.mark.parametrize(("channels", "color"), [(1, "gray"), (3, "rgb")])
def test_the_input_repeats_the_luma(channels: int, color: str) -> None:
    faces = noise(2, 48, 48)
    model = spec(channels=channels, color=color, scale=0.5, offset=-3.0)
    values = to_input(faces, model)
    assert (values.shape, values.dtype) == ((2, 48, 48, channels), np.float32)
    for channel in range(channels):
        np.testing.assert_array_equal(values[..., channel], faces * np.float32(0.5) - np.float32(3))
