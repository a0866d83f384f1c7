from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_edge.tensors import Tensor


def tensor(dtype: Any, scale: float, zero_point: int) -> Tensor:
    return Tensor(index=0, shape=(1, 1), dtype=np.dtype(dtype), scale=scale, zero_point=zero_point)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "values", "stored"),
    [
        # Half goes up, and so does what float32 leaves just below it.
        (np.int8, 1.0, 0, [0.5, 1.5, 2.5, -0.5, -1.5, -2.5], [1, 2, 3, 0, -1, -2]),
        (np.int8, 1.0, 1, [0.49995, 1.49995, -0.50005, 0.499], [2, 3, 1, 1]),
        (np.int8, 0.5, 0, [0.25, 0.26, 0.75, -0.25, -0.26], [1, 1, 2, 0, -1]),
        # Beyond the limits it saturates and does not wrap.
        (np.int8, 1.0, 0, [127, 128, 1e9, -128, -129, -1e9], [127, 127, 127, -128, -128, -128]),
        (np.int8, 1 / 256, -128, [0.0, 0.5, 255 / 256, 1.0, -0.1], [-128, 0, 127, 127, -128]),
        (np.uint8, 1.0, 127, [-128, -127, 0, 128, 129], [0, 0, 127, 255, 255]),
    ],
)
def test_quantizing(dtype: Any, scale: float, zero_point: int, values: list[float], stored: list[int]) -> None:
    quantized = tensor(dtype, scale, zero_point).quantize(np.array(values, np.float32))
    assert (quantized.dtype, quantized.tolist()) == (np.dtype(dtype), stored)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "stored", "values"),
    [
        (np.int8, 1 / 256, -128, [-128, 0, 127], [0.0, 0.5, 255 / 256]),
        (np.int8, 0.5, 3, [-128, 3, 127], [-65.5, 0.0, 62.0]),
        (np.uint8, 0.25, 200, [0, 200, 255], [-50.0, 0.0, 13.75]),
    ],
)
def test_dequantizing(dtype: Any, scale: float, zero_point: int, stored: list[int], values: list[float]) -> None:
    dequantized = tensor(dtype, scale, zero_point).dequantize(np.array(stored, dtype))
    assert (dequantized.dtype, dequantized.tolist()) == (np.float32, values)


def test_every_numpy_rounds_alike() -> None:
    # Keras' scaling to -1..1 puts each pixel half way between two steps of the input. NumPy 1 divides float32 by a
    # float64 scalar in float32, NumPy 2 in float64: the same model must get the same integers from both.
    scale, zero_point = 0.007843137718737125, -1
    values = (np.arange(256) / 127.5 - 1).astype(np.float32)
    # Whichever way float32's own error points: every level is a step of its own.
    expected = list(range(-128, 128))
    assert tensor(np.int8, scale, zero_point).quantize(values).tolist() == expected


def test_every_stored_value_survives_the_round_trip() -> None:
    stored = np.arange(-128, 128, dtype=np.int8)
    for scale in (1 / 256, 0.0078431, 3.7):
        one = tensor(np.int8, scale, -5)
        np.testing.assert_array_equal(one.quantize(one.dequantize(stored)), stored)


def test_float_tensors_pass_through() -> None:
    values = np.array([-1e9, 0.1, 0.5, np.pi], np.float32)
    one = tensor(np.float32, 0.0, 0)
    np.testing.assert_array_equal(one.quantize(values), values)
    np.testing.assert_array_equal(one.dequantize(values), values)
