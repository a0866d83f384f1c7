from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_edge.shrinking import by_whole_factor, shrink


@pytest.fixture
def noise() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (101, 203), np.uint8)


@pytest.mark.parametrize("factor", [1, 2, 3, 5, 101])
def test_squares_are_averaged(factor: int, noise: npt.NDArray[np.uint8]) -> None:
    small = by_whole_factor(noise, factor)
    assert small.shape == (101 // factor, 203 // factor)
    assert small.dtype == np.uint8
    rows, columns = small.shape
    squares = noise[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    assert np.abs(small - squares.mean(axis=(1, 3))).max() <= 0.5


@pytest.mark.parametrize(("width", "height"), [(203, 101), (150, 75), (100, 50), (61, 30), (1, 1), (203, 1), (7, 90)])
def test_any_size_comes_out(width: int, height: int, noise: npt.NDArray[np.uint8]) -> None:
    assert shrink(noise, width, height).shape == (height, width)


def test_it_looks_like_the_exact_way() -> None:
    across, down = np.meshgrid(np.arange(640), np.arange(480))
    waves = (128 + 60 * np.sin(across / 25) + 60 * np.cos(down / 31)).astype(np.uint8)
    exact = cv2.resize(waves, (227, 170), interpolation=cv2.INTER_AREA).astype(int)
    assert np.abs(shrink(waves, 227, 170) - exact).max() <= 4
