from __future__ import annotations

import numpy as np
import pytest

from fer_train import balance


@pytest.mark.parametrize(
    ("labels", "kind", "expected"),
    [
        ([2, 0, 1, 0], "none", [0, 1, 2, 3]),
        ([2, 0, 1, 0], "class-weight", [0, 1, 2, 3]),
        ([2, 0, 1, 0], "oversample", [1, 3, 2, 2, 0, 0]),
        # In turn: no face is shown twice more often than another of its class.
        ([0, 0, 0, 0, 0, 1, 1], "oversample", [0, 1, 2, 3, 4, 5, 6, 5, 6, 5]),
        # A class without a face cannot be repeated.
        ([3, 3, 0], "oversample", [2, 2, 0, 1]),
        ([1, 0], "oversample", [1, 0]),
    ],
)
def test_what_an_epoch_shows(labels: list[int], kind: str, expected: list[int]) -> None:
    assert balance.order(np.asarray(labels), kind).tolist() == expected


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([0, 1, 2], 3, [1, 1, 1]),
        ([0, 0, 0, 1], 2, [4 / 6, 2]),
        ([2, 0, 1, 0], 3, [4 / 6, 4 / 3, 4 / 3]),
        # Six faces of two classes; the third has none.
        ([0, 2, 2, 2, 2, 2], 3, [3, 0, 0.6]),
    ],
)
def test_what_a_class_weighs(labels: list[int], classes: int, expected: list[float]) -> None:
    found = balance.weights(np.asarray(labels), classes, "class-weight")
    assert found is not None
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx(expected)
    # On average over the faces a face weighs 1, so that the learning rate means the same.
    assert found[labels].mean() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["none", "oversample"])
def test_otherwise_nothing_is_weighed(kind: str) -> None:
    assert balance.weights(np.asarray([0, 0, 1]), 2, kind) is None
