"""How long the device's own code takes to classify a face."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from fer_edge.box import Box
from fer_edge.classifier import Classifier

# A camera's picture and the box of a face in it; what is in the box costs the same whatever it shows.
_FRAME_SHAPE = (480, 640)
_FACE = Box(220, 120, 200, 200)
WARM_UP_RUNS = 20
_RUNS_A_ROUND = 16


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Durations of classifying one face: cut, resize, quantise, infer, normalise.

    Attributes:
        samples_ms: Each run, milliseconds, in order; none is left out.
    """

    samples_ms: tuple[float, ...]

    def percentile(self, percent: float) -> float:
        """Give the sample that `percent` of the samples do not exceed (nearest rank), milliseconds."""
        return float(np.percentile(self.samples_ms, percent, method="inverted_cdf"))


def measure(classifiers: Sequence[Classifier], runs: int, step: Callable[[int], None]) -> list[Latency]:
    """Time several models in turn, a short round each, so that a drift of the machine hits all alike.

    Args:
        classifiers: Models, each with its threads.
        runs: Timed runs of each.
        step: Called with the number of runs after each round, for a progress bar.

    Returns:
        A latency each, in the order given.
    """
    gray = np.random.default_rng(0).integers(0, 256, _FRAME_SHAPE, np.uint8)
    for classifier in classifiers:
        for _ in range(WARM_UP_RUNS):
            classifier.classify(gray, _FACE)
    samples: list[list[float]] = [[] for _ in classifiers]
    for done in range(0, runs, _RUNS_A_ROUND):
        count = min(_RUNS_A_ROUND, runs - done)
        for classifier, mine in zip(classifiers, samples, strict=True):
            for _ in range(count):
                began = time.perf_counter_ns()
                classifier.classify(gray, _FACE)
                mine.append((time.perf_counter_ns() - began) / 1e6)
            step(count)
    return [Latency(samples_ms=tuple(mine)) for mine in samples]
