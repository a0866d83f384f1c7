"""How long the device's own code takes to classify a face, in the steady state.

After MLPerf Inference's single-stream rules (Reddi et al. 2020, arXiv:1911.02549): a least number of runs and a least
time, percentiles of all of them. Beyond them: variants take turns in random order, so that a drift hits all alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from fer_bench import statistics
from fer_bench.energy import Meter
from fer_bench.results import Latency
from fer_bench.scene import FACE, frame
from fer_bench.speed import Pace
from fer_edge.classifier import Classifier
from fer_edge.preprocessing import Pixels

# MLPerf's least number of queries of a single stream.
RUNS = 1024
ENERGY_TURNS = 2
# At the head of each turn: the first runs of a model that was just loaded find nothing in the caches.
_WARM_UP_RUNS = 5
# Of each model once, until the processor's frequency has settled as well.
_SETTLING_SECONDS = 0.2
# In units of the time that is measured: nobody waits minutes for what takes a second.
_PATIENCE = 10
# Of `--quick`, all variants together; what else is measured takes about as long again.
_QUICK_SECONDS = 8.0


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        runs: Timed runs of each variant, at least.
        seconds: Timed seconds of each variant, at least.
        rounds: Turns of each variant, each with a fresh load.
        limit: Seconds for all variants together, which overrules the two; None for no limit.
        patience_s: How long to wait for an undisturbed machine at most, see `speed.Pace`.
    """

    runs: int = RUNS
    seconds: float = 2.0
    rounds: int = 64
    limit: float | None = None
    patience_s: float = 180.0


def fitted(effort: Effort, runs: int | None = None, seconds: float | None = None) -> Effort:
    """Give an effort with other least runs or seconds; not more rounds than runs."""
    changed = replace(
        effort, runs=effort.runs if runs is None else runs, seconds=effort.seconds if seconds is None else seconds
    )
    return replace(changed, rounds=min(changed.rounds, changed.runs))


QUICK = Effort(runs=256, seconds=0.25, rounds=16, limit=_QUICK_SECONDS, patience_s=0.0)


@dataclass(frozen=True)
class Samples:
    """What was measured of one variant.

    Attributes:
        rounds_ms: Durations by round, milliseconds, in order; none is left out.
        cpu_seconds: Processor time of all threads in those rounds.
    """

    rounds_ms: tuple[tuple[float, ...], ...]
    cpu_seconds: float

    @property
    def runs(self) -> int:
        """Number of samples."""
        return sum(map(len, self.rounds_ms))

    @property
    def medians(self) -> statistics.Values:
        """The median of each round, milliseconds."""
        return np.array([np.median(one) for one in self.rounds_ms])


class Prepared:
    """Models whose speed is known roughly, and the runs that each is to have.

    Attributes:
        runs: Timed runs to come, all models together.
        pace: How fast the machine was.
    """

    def __init__(self, loaders: Sequence[Callable[[], Classifier]], effort: Effort) -> None:
        """Load models and let them settle.

        Args:
            loaders: Each loads a model anew, with its threads.
            effort: How much to measure.
        """
        self._loaders = loaders
        self._classifiers = [load() for load in loaders]
        self._gray = frame()
        self._rounds = effort.rounds
        expected_ms = [_settle(classifier, self._gray) for classifier in self._classifiers]
        self._a_turn = _turns(expected_ms, effort)
        timed_s = effort.rounds * sum(runs * ms for runs, ms in zip(self._a_turn, expected_ms, strict=True)) / 1000
        self.pace = Pace(min(effort.patience_s, _PATIENCE * timed_s))
        self.runs = effort.rounds * sum(self._a_turn)

    def measure(self, seed: int, step: Callable[[int], object] = lambda _: None) -> list[Samples]:
        """Time the models, which take turns in an order that is drawn anew for each round.

        Args:
            seed: Of the order.
            step: Called after each turn with its number of runs.

        Returns:
            One for each model, in the order given.
        """
        order = np.random.default_rng(seed)
        number_of = len(self._loaders)
        samples: list[list[tuple[float, ...]]] = [[] for _ in range(number_of)]
        cpu = np.zeros(number_of)
        for _ in range(self._rounds):
            for number in order.permutation(number_of).tolist():
                self.pace.settle()
                # The one before goes only when the new one is there, which so cannot take its place.
                classifier = self._classifiers[number] = self._loaders[number]()
                for _ in range(_WARM_UP_RUNS):
                    classifier.classify(self._gray, FACE)
                runs = self._a_turn[number]
                used = time.process_time_ns()
                samples[number].append(tuple(_time(classifier, self._gray) for _ in range(runs)))
                cpu[number] += (time.process_time_ns() - used) / 1e9
                step(runs)
        return [Samples(tuple(mine), float(cpu[number])) for number, mine in enumerate(samples)]

    def joules(
        self, meter: Meter, seed: int, seconds: float, step: Callable[[int], object] = lambda _: None
    ) -> list[float | None]:
        """Give the energy of a face for each model, from two turns of some seconds each.

        Apart from the latency, which asking the meter would disturb.

        Args:
            meter: See `energy`.
            seed: Of the order.
            seconds: Of a turn.
            step: Called with 1 after each turn.
        """
        spent: list[list[float | None]] = [[] for _ in self._classifiers]
        order = np.random.default_rng(seed)
        for _ in range(ENERGY_TURNS):
            for number in order.permutation(len(self._classifiers)).tolist():
                before, end, runs = meter.read(), time.monotonic() + seconds, 0
                while time.monotonic() < end:
                    self._classifiers[number].classify(self._gray, FACE)
                    runs += 1
                after = meter.read()
                spent[number].append(None if before is None or after is None else (after - before) / runs)
                step(1)
        return [_mean(found) for found in spent]


def summarize(found: Sequence[Samples], titles: Sequence[str], reference: int, seed: int) -> list[Latency]:
    """Give percentiles, and ratios to one of the variants.

    Args:
        found: From one `measure`.
        titles: Of the variants.
        reference: Number of the variant that the others are compared with.
        seed: Of the bootstrap.
    """
    base = found[reference].medians
    summaries = []
    for number, samples in enumerate(found):
        p50, p90, p99 = statistics.percentiles(samples.rounds_ms, (50, 90, 99), seed)
        same = number == reference
        summaries.append(
            Latency(
                rounds_ms=samples.rounds_ms,
                p50=p50,
                p90=p90,
                p99=p99,
                maximum=max(map(max, samples.rounds_ms)),
                faces_per_second=statistics.per_second(samples.rounds_ms, seed),
                ratio=None if same else statistics.ratio(samples.medians, base, titles[reference], seed),
            )
        )
    return summaries


def _mean(found: Sequence[float | None]) -> float | None:
    known = [one for one in found if one is not None]
    return sum(known) / len(known) if len(known) == len(found) else None


def _time(classifier: Classifier, gray: Pixels) -> float:
    """Classify once and give how long it took, milliseconds."""
    began = time.perf_counter_ns()
    classifier.classify(gray, FACE)
    return (time.perf_counter_ns() - began) / 1e6


def _settle(classifier: Classifier, gray: Pixels) -> float:
    """Run until caches and frequency have settled, and give the median of the later half, milliseconds."""
    times: list[float] = []
    end = time.monotonic() + _SETTLING_SECONDS
    while len(times) < 2 * _WARM_UP_RUNS or time.monotonic() < end:
        times.append(_time(classifier, gray))
    return float(np.median(times[len(times) // 2 :]))


def _turns(expected_ms: Sequence[float], effort: Effort) -> list[int]:
    """Give the runs of a turn of each variant, from what a run is expected to take."""
    least = ceil(effort.runs / effort.rounds)
    turns = [max(least, ceil(1000 * effort.seconds / effort.rounds / ms)) for ms in expected_ms]
    timed, uncounted = (
        effort.rounds * sum(runs * ms for runs, ms in zip(many, expected_ms, strict=True)) / 1000
        for many in (turns, [_WARM_UP_RUNS] * len(turns))
    )
    if effort.limit is None or timed + uncounted <= effort.limit:
        return turns
    return [max(1, int(runs * max(0.0, effort.limit - uncounted) / timed)) for runs in turns]
