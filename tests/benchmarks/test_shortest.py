from __future__ import annotations

import numpy as np

from fer_bench import shortest


def test_what_is_slower_than_a_longer_cut_is_held_to_that() -> None:
    times = np.array([1.0, 2.0, 7.0, 4.0, 9.0, 8.0])
    assert shortest.bounded(times).tolist() == [1, 2, 4, 4, 8, 8]


def test_cuts_in_doubt_are_run_again() -> None:
    times, random = np.arange(40.0), np.random.default_rng(1)
    times[20] += 5
    drawn = [shortest._doubtful(times, 5, random) for _ in range(200)]
    assert {len(one) for one in drawn} == {5}
    assert min(min(one) for one in drawn) == 0
    assert max(max(one) for one in drawn) == 39
    again = sum(20 in one for one in drawn)
    # Three of four, and what falls there by chance.
    assert 140 < again < 180
    # Without doubt, anywhere.
    times[20] -= 5
    assert sum(20 in shortest._doubtful(times, 5, random) for _ in range(200)) < 50
