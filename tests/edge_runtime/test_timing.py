from __future__ import annotations

import numpy as np
import pytest

from fer_edge.timing import Durations


def counted(samples: object) -> Durations:
    durations = Durations()
    for ms in samples:  # type: ignore[attr-defined]
        durations.add(float(ms))
    return durations


@pytest.mark.parametrize("seed", range(4))
def test_percentiles_are_nearest_rank_within_a_tenth_of_a_percent(seed: int) -> None:
    chance = np.random.default_rng(seed)
    samples = chance.lognormal(mean=chance.uniform(-3, 3), sigma=1.5, size=int(chance.integers(1, 3000)))
    durations = counted(samples)
    assert durations.count == len(samples)
    for percent in (0, 1, 25, 50, 90, 99, 99.9, 100):
        exact = np.percentile(samples, percent, method="inverted_cdf")
        assert durations.percentile(percent) == pytest.approx(exact, rel=1e-3), percent


def test_the_maximum_is_exact_and_no_percentile_is_above_it() -> None:
    durations = counted([1.23456, 7.654321])
    assert durations.maximum == 7.654321
    assert durations.percentile(100) <= 7.654321


def test_one_slow_frame_is_not_dropped() -> None:
    durations = counted([1.0] * 999 + [5000.0])
    assert durations.percentile(99.9) == pytest.approx(1.0, rel=1e-3)
    assert durations.percentile(100) == pytest.approx(5000.0, rel=1e-3)


def test_what_is_too_short_to_measure_counts() -> None:
    durations = counted([0.0, 0.0, 4.0])
    assert durations.count == 3
    assert durations.percentile(50) <= 1e-4 * 1.001


@pytest.mark.parametrize("percent", [-1, 100.1])
def test_percents_that_are_none(percent: float) -> None:
    with pytest.raises(ValueError, match="percentile of 1 samples"):
        counted([1.0]).percentile(percent)


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="no 50th percentile of 0 samples"):
        Durations().percentile(50)
