from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_edge.box import Box
from fer_edge.template import Template

Picture = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def photo(shared_data: Callable[[str], Path]) -> Picture:
    gray = cv2.imread(str(shared_data("photos/skimage_astronaut.png")), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    return np.asarray(gray, np.uint8)


FACE = Box(170, 60, 110, 110)


def moved(photo: Picture, right: float, down: float) -> Picture:
    shift = np.array([[1, 0, right], [0, 1, down]], np.float64)
    return np.asarray(cv2.warpAffine(photo, shift, photo.shape[::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)


@pytest.mark.parametrize("size", [24, 1000])
@pytest.mark.parametrize("by", [(0, 0), (3, -2), (10, 10), (-25, 17), (27, -27)])
def test_it_is_found_where_it_has_moved(by: tuple[int, int], size: int, photo: Picture) -> None:
    template = Template(photo, FACE, size)
    found = template.find(moved(photo, *by), FACE)
    assert found is not None
    assert found[2:] == FACE[2:]
    # Finer than the 4.6 pixels that one of the reduced picture is.
    assert found[:2] == pytest.approx((FACE.x + by[0], FACE.y + by[1]), abs=1.5)


def test_noise_and_light_do_not_matter(photo: Picture) -> None:
    noise = np.random.default_rng(1).normal(0, 8, photo.shape)
    other = np.clip(0.7 * photo + 20 + noise, 0, 255).astype(np.uint8)
    found = Template(photo, FACE).find(other, FACE)
    assert found is not None
    assert found.overlap(FACE) > 0.9


def test_what_went_too_far_turned_or_left_is_not_found(photo: Picture) -> None:
    template = Template(photo, FACE)
    assert template.find(moved(photo, 80, 0), FACE) is None
    assert template.find(np.ascontiguousarray(photo[::-1]), FACE) is None
    assert template.find(np.full_like(photo, 90), FACE) is None


@pytest.mark.parametrize("box", [Box(0, 0, 50, 60), Box(462, 452, 50, 60), Box(0, 0, 512, 512)])
def test_at_the_border_it_stays_inside(box: Box, photo: Picture) -> None:
    template = Template(photo, box)
    there = template.find(photo, box)
    assert there is not None
    assert there == pytest.approx(box, abs=1)
    found = template.find(moved(photo, 6, 6), box)
    if found is not None:
        assert found.x >= 0
        assert found.y >= 0
        assert found.x + found.width <= 512
        assert found.y + found.height <= 512


def test_a_smaller_picture_has_no_place_for_it(photo: Picture) -> None:
    template = Template(photo, FACE)
    assert template.find(np.ascontiguousarray(photo[:100]), FACE) is None
    assert template.find(np.ascontiguousarray(photo[:, :200]), FACE) is None


@pytest.mark.parametrize("gray", [0, 128, 255])
def test_what_is_plain_is_never_found(gray: int) -> None:
    plain = np.full((100, 100), gray, np.uint8)
    assert Template(plain, Box(20, 20, 40, 40)).find(plain, Box(20, 20, 40, 40)) is None


def test_it_remembers_after_the_frame_is_overwritten(photo: Picture) -> None:
    buffer, small = photo.copy(), Box(200, 100, 20, 20)
    template = Template(buffer, small)
    buffer[:] = 0
    assert template.find(photo, small) == small
