from __future__ import annotations

import numpy as np
import pytest

from fer_bench import statistics


@pytest.mark.parametrize(
    ("samples", "percent", "value"),
    [((5.0,), 50, 5), ((3.0, 1.0, 2.0), 50, 2), ((4.0, 3.0, 2.0, 1.0), 50, 2), (tuple(range(1, 101)), 99, 99)],
)
def test_percentiles_are_samples_by_nearest_rank(samples: tuple[float, ...], percent: float, value: float) -> None:
    (found,) = statistics.percentiles([samples], [percent], 1)
    assert found.value == value


def test_percentiles_are_those_of_numpy_over_all_rounds() -> None:
    rounds = np.random.default_rng(3).lognormal(0, 0.3, (40, 25))
    found = statistics.percentiles(rounds.tolist(), (0, 50, 90, 99, 100), 1)
    expected = np.percentile(rounds, (0, 50, 90, 99, 100), method="inverted_cdf")
    assert [one.value for one in found] == expected.tolist()
    assert all(one.low <= one.value <= one.high for one in found)


def test_rounds_may_differ_in_length() -> None:
    (found,) = statistics.percentiles([[1.0], [2.0, 3.0, 4.0]], [50], 1)
    assert found.value == 2


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    # Rounds that differ among themselves: an interval from single samples would be far too narrow.
    covered = 0
    for seed in range(200):
        draw = np.random.default_rng(seed)
        rounds = 10 + draw.normal(0, 1, (60, 1)) + draw.normal(0, 0.1, (60, 20))
        (found,) = statistics.percentiles(rounds.tolist(), [50], seed)
        covered += found.low <= 10 <= found.high
    # 95 % of 200; ten more or less is three standard deviations.
    assert 180 <= covered <= 199


def test_the_same_seed_gives_the_same_interval() -> None:
    rounds = np.random.default_rng(3).normal(5, 1, (20, 10)).tolist()
    assert statistics.percentiles(rounds, [50], 7) == statistics.percentiles(rounds, [50], 7)
    assert statistics.percentiles(rounds, [50], 7) != statistics.percentiles(rounds, [50], 8)


def test_runs_per_second() -> None:
    found = statistics.per_second([[10.0, 10.0], [30.0]], 1)
    assert found.value == pytest.approx(3 / 0.05)
    assert found.low == pytest.approx(1000 / 30)
    assert found.high == pytest.approx(100)


def noisy(seed: int, factor: float) -> statistics.Values:
    """Give 128 rounds of a time that drifts, with noise of 3 % and some rounds that are disturbed."""
    draw = np.random.default_rng(seed)
    drift = 1 + 0.3 * np.sin(np.arange(128) / 20)
    disturbed = np.where(draw.random(128) < 0.1, 1 + draw.exponential(1, 128), 1)
    return np.asarray(factor * drift * draw.normal(1, 0.03, 128) * disturbed)


def test_a_variant_and_itself_show_no_difference() -> None:
    verdicts = [statistics.ratio(noisy(2 * n, 1), noisy(2 * n + 1, 1), "it", n).verdict for n in range(100)]
    assert verdicts.count("no difference shown") >= 99


@pytest.mark.parametrize(("factor", "verdict"), [(1.05, "slower"), (0.95, "faster"), (2.0, "slower")])
def test_five_per_cent_are_told(factor: float, verdict: str) -> None:
    verdicts = [statistics.ratio(noisy(2 * n, factor), noisy(2 * n + 1, 1), "it", n).verdict for n in range(40)]
    assert verdicts.count(verdict) >= 39


def test_a_drift_that_hits_both_is_no_difference() -> None:
    drift = np.linspace(1, 3, 64)
    found = statistics.ratio(1.1 * drift, drift, "it", 1)
    assert (found.reference, found.verdict) == ("it", "slower")
    assert (found.time.low, found.time.value, found.time.high) == pytest.approx((1.1, 1.1, 1.1))


def test_two_runs_are_compared_by_their_percentiles() -> None:
    draw = np.random.default_rng(1)
    then = draw.normal(10, 0.5, (64, 16))
    now = 1.2 * draw.normal(10, 0.5, (50, 16))
    found = statistics.ratio_apart(now.tolist(), then.tolist(), 50, 1)
    assert found.low < 1.2 < found.high
    assert found.high - found.low < 0.03
    assert found.value == pytest.approx(np.median(now) / np.median(then), rel=0.005)
