"""What samples show and what they do not: percentiles, ratios and verdicts with intervals.

Samples that follow each other are alike, so an interval from single samples would be too narrow. They are taken in
rounds, and rounds are what the bootstrap draws (Efron 1979; by clusters: Davison and Hinkley 1997, 3.8).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fer_bench.results import Estimate, Ratio, Verdict

DRAWS = 1000
_ENDS = (2.5, 97.5)
# A verdict is stricter than the interval that is shown: of twenty comparisons of a file with itself one 95 % interval
# would miss 1.
_VERDICT_ENDS = (0.5, 99.5)
# Below this no user chooses by speed, and a timing loop's own cost may differ.
MARGIN = 0.02

Values = npt.NDArray[np.float64]


def percentiles(rounds: Sequence[Sequence[float]], percents: Sequence[float], seed: int) -> list[Estimate]:
    """Give percentiles by nearest rank: the smallest sample that so many per cent do not exceed.

    Args:
        rounds: Samples by round; neither is empty.
        percents: 0..100 each.
        seed: Of the draws.
    """
    whole, drawn = _drawn(rounds, percents, seed)
    return [
        Estimate(value=float(value), low=float(low), high=float(high))
        for value, low, high in zip(whole, *np.percentile(drawn, _ENDS, axis=0), strict=True)
    ]


def per_second(rounds: Sequence[Sequence[float]], seed: int) -> Estimate:
    """Give samples over the sum of their durations.

    Args:
        rounds: Durations by round, milliseconds.
        seed: Of the draws.
    """
    counts = np.array([len(one) for one in rounds])
    sums = np.array([sum(one) for one in rounds])
    draws = _draws(len(rounds), seed)
    low, high = np.percentile(1000 * (draws @ counts) / (draws @ sums), _ENDS)
    return Estimate(value=float(1000 * counts.sum() / sums.sum()), low=float(low), high=float(high))


def ratio(times: Values, reference_times: Values, reference: str, seed: int) -> Ratio:
    """Compare a variant with a reference, round by round: what hits a round hits both.

    Args:
        times: [R] the variant's, one a round.
        reference_times: [R] the reference's in the same rounds, in the same unit.
        reference: Its title.
        seed: Of the draws.
    """
    ratios = np.asarray(times, np.float64) / np.asarray(reference_times, np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(ratios), (DRAWS, len(ratios)))
    medians = np.median(ratios[drawn], axis=1)
    low, high = np.percentile(medians, _ENDS)
    time = Estimate(value=float(np.median(ratios)), low=float(low), high=float(high))
    return Ratio(reference=reference, time=time, verdict=_verdict(*np.percentile(medians, _VERDICT_ENDS)))


def ratio_apart(
    ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]], percent: float, seed: int
) -> Estimate:
    """Give the ratio of a percentile to the same of another run, whose rounds belong to none of ours.

    Args:
        ours: Samples by round.
        theirs: Those of the other run, the denominator.
        percent: 0..100.
        seed: Of the draws.
    """
    ((mine,), drawn), ((other,), others) = (
        _drawn(rounds, (percent,), seed + shift) for shift, rounds in enumerate((ours, theirs))
    )
    low, high = np.percentile(drawn / others, _ENDS)
    return Estimate(value=float(mine / other), low=float(low), high=float(high))


def mean(values: Values, seed: int) -> Estimate:
    """Give the mean of independent values, such as one a face, each of which is drawn by itself.

    Args:
        values: [N], N at least 1.
        seed: Of the draws.
    """
    low, high = np.percentile(_draws(len(values), seed) @ values / len(values), _ENDS)
    return Estimate(value=float(values.mean()), low=float(low), high=float(high))


def ratio_of_means(ours: Values, theirs: Values, seed: int) -> Estimate:
    """Give the ratio of two means over the same faces: what is drawn is drawn for both.

    Args:
        ours: [N], a value a face.
        theirs: [N], of the same faces, the denominator; the interval of their mean lies above 0.
        seed: Of the draws.
    """
    draws = _draws(len(ours), seed)
    low, high = np.percentile((draws @ ours) / (draws @ theirs), _ENDS)
    return Estimate(value=float(ours.mean() / theirs.mean()), low=float(low), high=float(high))


def _verdict(low: float, high: float) -> Verdict:
    if high < 1 - MARGIN:
        return "faster"
    if low > 1 + MARGIN:
        return "slower"
    return "no difference shown"


def _drawn(rounds: Sequence[Sequence[float]], percents: Sequence[float], seed: int) -> tuple[Values, Values]:
    """Give percentiles of all samples, [P], and of each draw of rounds, [DRAWS, P]."""
    samples = np.concatenate([np.asarray(one, np.float64) for one in rounds])
    order = np.argsort(samples, kind="stable")
    ranked = samples[order]
    home = np.repeat(np.arange(len(rounds)), [len(one) for one in rounds])[order]
    # A round that is drawn twice counts twice: the samples need sorting once.
    drawn = np.array([_weighted(ranked, times[home], percents) for times in _draws(len(rounds), seed)])
    return _weighted(ranked, np.ones(len(ranked), np.int64), percents), drawn


def _draws(rounds: int, seed: int) -> npt.NDArray[np.int64]:
    """Give how often each round is drawn: [DRAWS, rounds]."""
    return np.random.default_rng(seed).multinomial(rounds, np.full(rounds, 1 / rounds), DRAWS)


def _weighted(ranked: Values, weights: npt.NDArray[np.int64], percents: Sequence[float]) -> Values:
    passed = np.cumsum(weights)
    ranks = np.maximum(1, np.ceil(passed[-1] * np.asarray(percents) / 100))
    found: Values = ranked[np.searchsorted(passed, ranks)]
    return found
