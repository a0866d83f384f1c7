from __future__ import annotations

import pytest

from fer_edge.releases import numbers, of_litert, of_tensorflow, older


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("2.14.0", (2, 14, 0)),
        ("2.9.0rc1", (2, 9, 0)),
        ("2.22.0-dev0+selfbuilt", (2, 22, 0)),
        ("2.15", (2, 15)),
        ("UNKNOWN", ()),
        ("", ()),
    ],
)
def test_numbers_of_a_release(release: str, expected: tuple[int, ...]) -> None:
    assert numbers(release) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("2.9.1", "2.10.0", True),
        ("2.10.0", "2.9.1", False),
        ("1.15.0", "2.0.0", True),
        ("2.3", "2.3.0", False),
        ("2.3.0", "2.3", False),
        ("2.3", "2.3.1", True),
        ("2.17.0", "2.17.0", False),
    ],
)
def test_which_is_older(first: str, second: str, expected: bool) -> None:
    assert older(first, second) is expected


@pytest.mark.parametrize(
    ("litert", "tflite"),
    [
        ("1.0.1", "2.17.0"),
        ("1.1.2", "2.18.0"),
        ("1.3.0", "2.18.0"),
        ("1.4.0", "2.19.0"),
        ("2.0.3", "2.20.0"),
        ("2.1.6", "2.20.0"),
        ("2.2.0", "2.21.0"),
        ("2.3.0", "2.21.0"),
        # Newer ones have at least that; nightlies count as the release that they lead to.
        ("3.0.0", "2.21.0"),
        ("2.2.0.dev20260101", "2.21.0"),
    ],
)
def test_litert_by_the_numbers_of_tensorflow(litert: str, tflite: str) -> None:
    assert of_litert(litert) == tflite


@pytest.mark.parametrize(
    ("tensorflow", "tflite"),
    [
        ("2.21.0", "2.21.0"),
        ("2.9.0rc1", "2.9.0rc1"),
        ("2.22.0-dev20260101", "2.21.0"),
        ("2.22.0.dev20260101", "2.21.0"),
        ("2.22.0-dev0+selfbuilt", "2.21.0"),
        # Whatever came before these.
        ("3.0.0-dev20260101", "3.0.0-dev20260101"),
        ("2-dev", "2-dev"),
        ("dev", "dev"),
    ],
)
def test_what_a_nightly_tensorflow_has_in_full(tensorflow: str, tflite: str) -> None:
    assert of_tensorflow(tensorflow) == tflite
