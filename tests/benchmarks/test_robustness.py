from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from bench_runs import FEW, bench, read
from fer_bench import corruptions, results, robustness, statistics
from fer_bench.corruptions import CORRUPTIONS
from fer_edge import evaluation
from fer_edge.classifier import Classifier
from fer_edge.models import shipped_model


@pytest.fixture(scope="module")
def model_path() -> Path:
    """Give the shipped model that corruptions cost more, which a few faces show."""
    return shipped_model("nano-int8")


@pytest.fixture(scope="module")
def measured(
    model_path: Path, tiny_int8: Path, mini_csv: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Result, results.Result, Path]:
    """Measure a real model by two numbers of threads, and one that is hardly trained."""
    folder = tmp_path_factory.mktemp("robust")
    files = ("--json", folder / "all.json", "--markdown", folder / "all.md", "--html", folder / "all.html")
    given = (model_path, tiny_int8, "--data", mini_csv, "--robustness", "--threads", "1,2", "--parent", "none")
    done = bench(*given, *FEW, *files)
    assert done.exit_code == 0, done.output
    return done, read(folder / "all.json"), folder


def test_accuracy_is_that_of_the_device_on_corrupted_faces(
    measured: tuple[Result, results.Result, Path], model_path: Path, mini_faces: dict[str, tuple[Any, Any]]
) -> None:
    found = measured[1].rows[0].robustness
    assert found is not None
    faces, labels = mini_faces["public"]
    classifier = Classifier.load(model_path, threads=1)
    # The CSV has each split's faces in their order.
    clean = evaluation.predict(classifier, list(faces)).argmax(axis=1) == labels
    assert found.clean == evaluation.accuracy("public", clean.astype(int), np.ones(84, int))
    assert found.clean == measured[1].rows[0].judgement.accuracy  # type: ignore[union-attr]
    lost = []
    for corruption, mine in zip(CORRUPTIONS, found.corrupted, strict=True):
        assert (mine.corruption, mine.severity) == (corruption.name, corruption.severity)
        corrupted = corruptions.corrupt(list(faces), corruption, 1)
        right = evaluation.predict(classifier, corrupted).argmax(axis=1) == labels
        assert mine.accuracy.correct == np.count_nonzero(right)
        assert mine.paired == evaluation.paired(clean, right)
        lost.append(mine.paired.gain)
    assert found.drop.value == pytest.approx(-np.mean(lost))
    assert found.drop.low < found.drop.value < found.drop.high


def test_a_real_model_loses_by_them(measured: tuple[Result, results.Result, Path]) -> None:
    found = measured[1].rows[0].robustness
    assert found is not None
    assert found.drop.low > 0
    gains = {(one.corruption, one.severity): one.paired.gain for one in found.corrupted}
    assert min(gains.values()) < -0.1


def test_with_more_threads_it_answers_the_same(measured: tuple[Result, results.Result, Path]) -> None:
    one, two, *others = (row.robustness for row in measured[1].rows)
    assert one is not None
    assert two is not None
    assert one.against is None
    assert two.against == results.Against(
        reference=measured[1].rows[0].title, ratio=results.Estimate(value=1.0, low=1.0, high=1.0)
    )
    assert (two.clean, two.corrupted, two.drop) == (one.clean, one.corrupted, one.drop)
    for other in others:
        assert other is not None
        assert other.against is not None
        assert other.against.ratio.value == pytest.approx(other.drop.value / one.drop.value)


def test_tables_and_page_tell_it(measured: tuple[Result, results.Result, Path]) -> None:
    done, result, folder = measured
    row = result.rows[0]
    found = row.robustness
    assert found is not None
    drop = f"{100 * found.drop.value:.2f} ({100 * found.drop.low:.2f} to {100 * found.drop.high:.2f})"
    for text in (done.stdout, (folder / "all.md").read_text()):
        assert drop in text
        assert "points lost, mean (95 %)" in text
        assert "loss against the first (95 %)" in text
        for one in found.corrupted:
            paired = one.paired
            points = f"{0.0 - 100 * paired.gain:.1f} ({0.0 - 100 * paired.high:.1f} to {0.0 - 100 * paired.low:.1f})"
            lines = [line for line in text.splitlines() if one.corruption in line and f"{one.severity} " in line]
            assert any(f"{100 * one.accuracy.value:.2f}, {points}" in line for line in lines)
    page = (folder / "all.html").read_text()
    assert page.index(">Accuracy<") < page.index(">Robustness<") < page.index(">By corruption<")
    assert f"{100 * found.drop.value:.2f} points" in page
    # Two files, one column each: threads change no answer.
    header = next(line for line in (folder / "all.md").read_text().splitlines() if line.startswith("| corruption"))
    assert header.count("points lost") == 2


def test_it_is_asked_for_and_needs_data(tiny_int8: Path, mini_csv: Path, the_error: Callable[[Result], str]) -> None:
    done = bench(tiny_int8, "--robustness", *FEW)
    assert (done.exit_code, the_error(done)) == (2, "--robustness needs --data")
    done = bench(tiny_int8, "--data", mini_csv, "--parent", "none", *FEW)
    assert done.exit_code == 0, done.output
    assert "corruption" not in done.stdout


def test_it_needs_no_tensorflow(tiny_int8: Path, mini_csv: Path) -> None:
    blocked = "for name in ('tensorflow', 'tf_keras', 'keras', 'sklearn', 'matplotlib'): sys.modules[name] = None"
    code = f"import sys\n{blocked}\nfrom fer_bench.cli import main\nmain()"
    arguments = ["--data", str(mini_csv), "--robustness", "--parent", "none", *map(str, FEW)]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_int8), *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "points lost" in done.stdout


def right(loses: float, seed: int, faces: int = 2000) -> Any:
    """Give who is right where all are right on clean faces and each corruption costs this share."""
    drawn = np.random.default_rng(seed).random((len(CORRUPTIONS), faces)) >= loses
    return np.concatenate([np.ones((1, faces), bool), drawn])


def test_half_the_loss_is_a_ratio_of_a_half() -> None:
    baseline, candidate = right(0.3, 1), right(0.15, 2)
    found = robustness.summarize(candidate, "public", 1)
    assert found.drop.value == pytest.approx(0.15, abs=0.01)
    assert found.drop.low < 0.15 < found.drop.high
    ratio = statistics.ratio_of_means(robustness._lost(candidate), robustness._lost(baseline), 1)
    assert ratio.value == pytest.approx(0.5, abs=0.02)
    assert ratio.low < 0.5 < ratio.high
    assert ratio.high - ratio.low < 0.05


def test_the_interval_of_a_mean_holds_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    held = 0
    for seed in range(200):
        found = statistics.mean(random.exponential(1.0, 400), seed)
        held += found.low <= 1 <= found.high
    # 95 % of 200 are 190, and less than 180 or more than 199 come up once in ten thousand times.
    assert 180 <= held <= 199
