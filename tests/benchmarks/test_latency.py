from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_bench import latency
from fer_edge.classifier import Classifier


def test_models_take_turns_in_an_order_that_is_drawn() -> None:
    calls: list[str] = []

    class Recorder:
        def __init__(self, name: str) -> None:
            self.name = name

        def classify(self, gray: object, box: object) -> None:
            del gray, box
            calls.append(self.name)

    loaded: list[str] = []

    def load(name: str) -> Recorder:
        loaded.append(name)
        return Recorder(name)

    loaders = [partial(load, name) for name in "abc"]
    effort = latency.Effort(runs=80, seconds=0, rounds=20)
    prepared = latency.Prepared(loaders, effort)  # type: ignore[arg-type]
    calls.clear()
    loaded.clear()
    steps: list[int] = []
    found = prepared.measure(1, steps.append)
    assert [one.runs for one in found] == [80] * 3
    assert sum(steps) == prepared.runs == 240
    # A turn is a fresh load, five runs outside the count, and four within.
    turns = ["".join(calls[at : at + 9]) for at in range(0, len(calls), 9)]
    assert set(turns) == {"a" * 9, "b" * 9, "c" * 9}
    assert loaded == [turn[0] for turn in turns]
    rounds = ["".join(turn[0] for turn in turns[at : at + 3]) for at in range(0, len(turns), 3)]
    assert len(rounds) == 20
    assert all(sorted(one) == ["a", "b", "c"] for one in rounds)
    assert len(set(rounds)) > 1


@pytest.mark.slow
def test_the_median_is_that_of_an_independent_loop(tiny_fp32: Path) -> None:
    import statistics
    import time

    from fer_bench.scene import FACE, frame

    load = partial(Classifier.load, tiny_fp32, threads=1)
    gray, ratios = frame(), []
    for _ in range(5):
        classifier = load()
        (found,) = latency.Prepared([load], latency.Effort(runs=1024, seconds=1)).measure(1)
        times = []
        for _ in range(1024):
            began = time.perf_counter()
            classifier.classify(gray, FACE)
            times.append(1000 * (time.perf_counter() - began))
        ratios.append(float(np.median(found.medians)) / statistics.median(times))
    assert statistics.median(ratios) == pytest.approx(1, abs=0.05)


@pytest.mark.slow
def test_a_model_against_itself_shows_no_difference_and_five_per_cent_are_told(tiny_fp32: Path) -> None:
    import time

    def load_slowed(slower: float) -> Classifier:
        classifier = Classifier.load(tiny_fp32, threads=1)
        plain = classifier.classify

        def slowed(gray: Any, box: Any) -> dict[str, float]:
            began = time.perf_counter_ns()
            answer = plain(gray, box)
            end = time.perf_counter_ns() + slower * (time.perf_counter_ns() - began)
            while time.perf_counter_ns() < end:
                pass
            return answer

        if slower:
            classifier.classify = slowed  # type: ignore[method-assign]
        return classifier

    def verdicts(slower: float) -> list[str]:
        found = []
        for seed in range(20):
            pair = [partial(load_slowed, 0.0), partial(load_slowed, slower)]
            samples = latency.Prepared(pair, latency.Effort()).measure(seed)
            (_, second) = latency.summarize(samples, ["a", "b"], 0, seed)
            assert second.ratio is not None
            found.append(second.ratio.verdict)
        return found

    assert verdicts(0).count("no difference shown") >= 19
    assert verdicts(0.05).count("slower") >= 19
