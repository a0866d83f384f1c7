from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_bench import loops, results, statistics
from fer_bench.results import Conditions, Cost, Data, Judgement, Latency, Result, Row, Settings, Start, State
from fer_edge import evaluation
from fer_edge.box import Box
from fer_edge.classifier import Classifier
from loop_stand_ins import FACE, NAMES, use

LABELS = ("angry", "happy")


def sampled(p50: float, seed: int = 0) -> tuple[tuple[float, ...], ...]:
    """Give 32 rounds of 8 samples about a median."""
    samples = p50 * np.random.default_rng(seed).normal(1, 0.02, (32, 8))
    return tuple(map(tuple, samples.tolist()))


@pytest.fixture
def make_row() -> Callable[..., Row]:
    """Give a function that makes a row from its main figures; what is None was not measured."""

    def make(
        title: str,
        *,
        p50: float | None = 1.0,
        size: int | None = 1000,
        accuracy: float | None = None,
        peak: int = 1_000_000,
        rounds: Sequence[Sequence[float]] | None = None,
        predicted: tuple[int, ...] | None = None,
    ) -> Row:
        latency = None
        if p50 is not None:
            samples = tuple(map(tuple, rounds)) if rounds is not None else sampled(p50)
            _, p90, p99 = statistics.percentiles(samples, (50, 90, 99), 1)
            latency = Latency(
                rounds_ms=samples,
                p50=results.Estimate(value=p50, low=p50, high=p50),
                p90=p90,
                p99=p99,
                maximum=max(map(max, samples)),
                faces_per_second=statistics.per_second(samples, 1),
            )
        judgement = None
        if accuracy is not None or predicted is not None:
            truth = np.zeros(1000, np.int64)
            said = (
                np.asarray(predicted) if predicted else (np.arange(1000) >= round(1000 * (accuracy or 0))).astype(int)
            )
            judgement = Judgement(
                accuracy=evaluation.accuracy("public", said, truth),
                balanced_accuracy=0.5,
                macro_f1=0.5,
                recalls=evaluation.recalls(said, truth, LABELS),
                calibration_error=0.1,
                confusion=evaluation.confusion(said, truth, 2),
                predicted=tuple(said.tolist()),
            )
        cost = None
        if size is not None:
            cost = Cost(
                bytes=size,
                gzip_bytes=size,
                parameters=10,
                multiply_accumulates=100,
                arena_bytes=1000,
                cpu_seconds=1.0,
            )
        start = Start(load_ms=(5.0,) * 3, first_ms=(1.0,) * 3, peak_bytes=(peak,) * 3, empty_bytes=(500_000,) * 3)
        return Row(
            title=title,
            file=f"{title}.tflite",
            sha256="0" * 64,
            model=title,
            recipe="fp32",
            runtime="litert 2.3.0",
            threads=1,
            latency=latency,
            start=start if p50 is not None else None,
            cost=cost if p50 is not None else None,
            judgement=judgement,
        )

    return make


@pytest.fixture
def make_result() -> Callable[..., Result]:
    """Give a function that puts rows together, measured on a quiet machine unless told otherwise."""

    def make(*rows: Row, problems: tuple[str, ...] = (), processor: str = "Cortex-A72") -> Result:
        state = State(temperature=50.0, throttled=(), megahertz=(1800.0,) * 4, governor="ondemand")
        data = Data(name="FER2013", split="public", sha256="f" * 64, images=1000, labels=LABELS, truth=(0,) * 1000)
        return Result(
            format_version=results.FORMAT_VERSION,
            time="2026-11-22T08:00:00+00:00",
            settings=Settings(runs=256, seconds=0.0, rounds=32, processes=3, seed=1, quick=False),
            conditions=Conditions(
                board="Raspberry Pi 4 Model B Rev 1.4",
                processor=processor,
                processors=4,
                pinned=False,
                system="Linux 6.12",
                versions={"python": "3.13.5"},
                before=state,
                after=state,
                others=0.01,
                problems=problems,
            ),
            energy_meter=None,
            data=data if any(row.judgement for row in rows) else None,
            rows=rows,
            loops=None,
        )

    return make


@pytest.fixture(scope="module")
def classifier(model_path: Path) -> Classifier:
    return Classifier.load(model_path, threads=1)


@pytest.fixture
def measure(classifier: Classifier) -> Callable[..., results.Loops]:
    """Give a function that measures the loops on a source."""

    def run(
        source: Path | str, frames: int, *, seconds: float = 0, seed: int = 1, step: Callable[[int], None] | None = None
    ) -> results.Loops:
        steps: list[int] = []
        found = loops.measure(
            str(source), classifier, "mine", frames=frames, seconds=seconds, seed=seed, step=step or steps.append
        )
        assert step or sum(steps) == frames
        return found

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Give a small one of nothing."""
    path = tmp_path / "noise.png"
    cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8))
    return path


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let three detectors that find one face search in place of the real ones, and keep who did."""
    calls: list[str] = []

    class Fast:
        def __init__(self, name: str) -> None:
            self._name = name

        def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
            assert gray.ndim == 2
            calls.append(self._name)
            return [FACE]

        def follow(self, gray: npt.NDArray[np.uint8], box: Box) -> Box | None:
            return max(self.detect(gray), key=box.overlap)

    use(monkeypatch, *map(Fast, NAMES))
    return calls
