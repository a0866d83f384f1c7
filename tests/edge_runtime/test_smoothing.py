from __future__ import annotations

from math import exp

import pytest

from fer_edge.smoothing import Smoother

HAPPY, SAD = {"happy": 1.0, "sad": 0.0}, {"happy": 0.0, "sad": 1.0}


def test_the_first_is_taken_as_it_is() -> None:
    assert Smoother(0.3).smooth(1, HAPPY, 5.0) == HAPPY


@pytest.mark.parametrize("rate", [5, 30, 120])
def test_a_change_shows_by_time_and_not_by_frames(rate: int) -> None:
    smoother = Smoother(0.5)
    smoother.smooth(1, HAPPY, 0.0)
    for number in range(1, rate + 1):
        found = smoother.smooth(1, SAD, number / rate)
    # A second is two time constants.
    assert found["happy"] == pytest.approx(exp(-2))
    assert sum(found.values()) == pytest.approx(1)
    assert list(found) == ["happy", "sad"]


def test_faces_are_smoothed_apart_and_forgotten() -> None:
    smoother = Smoother(0.3)
    smoother.smooth(1, HAPPY, 0.0)
    assert smoother.smooth(2, SAD, 0.1) == SAD
    smoother.forget_all_but([2])
    assert smoother.smooth(1, SAD, 0.2) == SAD
    assert smoother.smooth(2, HAPPY, 0.2)["sad"] == pytest.approx(exp(-1 / 3))


def test_pictures_that_stand_alone_and_no_time_constant() -> None:
    smoother = Smoother(0.3)
    smoother.smooth(1, HAPPY, None)
    assert smoother.smooth(1, SAD, None) == SAD
    none = Smoother(0)
    none.smooth(1, HAPPY, 0.0)
    assert none.smooth(1, SAD, 0.001) == SAD


def test_a_clock_that_goes_back_is_no_power() -> None:
    smoother = Smoother(0.3)
    smoother.smooth(1, HAPPY, 9.0)
    assert smoother.smooth(1, SAD, 0.0) == HAPPY
