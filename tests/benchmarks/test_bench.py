from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn import metrics as reference

from bench_runs import FEW, bench, read
from fer_bench import results
from fer_edge import evaluation
from fer_edge.classifier import Classifier
from fer_edge.metadata import ModelMetadata
from fer_edge.models import shipped_models
from fer_train import datasets


@dataclass(frozen=True)
class Measured:
    stdout: str
    result: results.Result
    models: tuple[Path, Path]
    json: Path
    markdown: str


@pytest.fixture(scope="module")
def measured(tiny_int8: Path, tiny_fp32: Path, mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("bench") / "deep"
    path, table = folder / "report.json", folder / "table.md"
    output = ("--json", path, "--markdown", table)
    given = (tiny_fp32, tiny_int8, "--data", mini_csv, "--threads", "1,2", *FEW, "--processes", 1, *output)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["/usr/bin/fer-bench", *map(str, given)])
        done = bench(*given)
    assert done.exit_code == 0, done.output
    assert sorted(file.name for file in folder.iterdir()) == ["report.json", "table.md"]
    return Measured(done.stdout, read(path), (tiny_fp32, tiny_int8), path, table.read_text())


def test_a_row_for_each_model_and_thread_count(measured: Measured) -> None:
    rows = measured.result.rows
    titles = ["tiny-fp32, 1 thread", "tiny-fp32, 2 threads", "tiny-int8, 1 thread", "tiny-int8, 2 threads"]
    assert [row.title for row in rows] == titles
    assert [(row.model, row.threads) for row in rows] == [(n, t) for n in ("tiny-fp32", "tiny-int8") for t in (1, 2)]
    assert [row.file for row in rows] == [str(path) for path in measured.models for _ in (1, 2)]
    assert [line.split("  ")[0] for line in measured.stdout.splitlines()[2:6]] == titles
    assert all(row.failures == () for row in rows)


def test_the_json_is_what_its_schema_says(measured: Measured) -> None:
    published = Path(__file__).resolve().parents[2] / "docs" / "fer-bench.schema.json"
    printed = bench("--schema")
    assert printed.exit_code == 0
    assert published.read_text() == printed.stdout
    content = json.loads(measured.json.read_bytes())
    assert content["format_version"] == results.FORMAT_VERSION
    assert set(content) == set(json.loads(printed.stdout)["$defs"]["Result"]["properties"])


def test_files_are_told_by_size_and_hash(measured: Measured) -> None:
    for row in measured.result.rows:
        content = Path(row.file).read_bytes()
        assert row.sha256 == hashlib.sha256(content).hexdigest()
        assert row.cost is not None
        assert row.cost.bytes == len(content)
        assert row.cost.gzip_bytes == pytest.approx(len(gzip.compress(content)), abs=100)
        assert row.cost.parameters == ModelMetadata.of(Path(row.file)).parameters
        assert f"{len(content):,}" in measured.stdout
        assert row.cost.multiply_accumulates > row.cost.parameters
        assert row.cost.arena_bytes > 0
        assert row.cost.cpu_seconds > 0


def test_every_sample_is_kept_and_the_figures_are_made_of_them(measured: Measured) -> None:
    for row, line in zip(measured.result.rows, measured.stdout.splitlines()[2:6], strict=True):
        found = row.latency
        assert found is not None
        assert len(found.rounds_ms) == measured.result.settings.rounds
        samples = [sample for one in found.rounds_ms for sample in one]
        assert len(samples) >= 40
        assert min(samples) > 0
        # Percentiles by nearest rank: each is one of the samples.
        ranked = [sorted(samples)[ceil(len(samples) * percent / 100) - 1] for percent in (50, 90, 99)]
        assert [found.p50.value, found.p90.value, found.p99.value] == ranked
        assert found.maximum == max(samples)
        assert found.faces_per_second.value == pytest.approx(1000 * len(samples) / sum(samples))
        assert f"{ranked[0]:.3f} (" in line
        assert f"{ranked[2]:.3f}" in line


def test_the_first_variant_is_the_reference_round_by_round(measured: Measured) -> None:
    first, *others = measured.result.rows
    assert first.latency is not None
    assert first.latency.ratio is None
    for row in others:
        assert row.latency is not None
        assert row.latency.ratio is not None
        assert row.latency.ratio.reference == first.title
        pairs = zip(row.latency.rounds_ms, first.latency.rounds_ms, strict=True)
        expected = np.median([np.median(ours) / np.median(theirs) for ours, theirs in pairs])
        assert row.latency.ratio.time.value == pytest.approx(expected)


def test_accuracy_is_that_of_scikit_learn_on_the_device_s_answers(measured: Measured, mini_csv: Path) -> None:
    split = datasets.load(mini_csv).splits["public"]
    data = measured.result.data
    assert data is not None
    assert (data.split, data.images, data.truth) == ("public", 84, tuple(split.labels.tolist()))
    for row in measured.result.rows:
        probabilities = evaluation.predict(Classifier.load(Path(row.file), threads=1), split.faces)
        predicted, found = probabilities.argmax(axis=1), row.judgement
        assert found is not None
        assert found.predicted == tuple(predicted.tolist())
        assert found.accuracy.value == pytest.approx(reference.accuracy_score(split.labels, predicted))
        f1 = reference.f1_score(split.labels, predicted, average="macro", zero_division=0)
        assert found.macro_f1 == pytest.approx(f1)
        balanced = reference.balanced_accuracy_score(split.labels, predicted)
        assert found.balanced_accuracy == pytest.approx(balanced)
        assert np.array_equal(found.confusion, reference.confusion_matrix(split.labels, predicted, labels=range(7)))
        assert f"{100 * found.accuracy.value:.2f} (" in measured.stdout


def test_agreement_with_the_float_parent(measured: Measured) -> None:
    by_title = {row.title: row for row in measured.result.rows}
    parent, child = by_title["tiny-fp32, 1 thread"], by_title["tiny-int8, 1 thread"]
    assert parent.agreement is None
    assert child.agreement is not None
    assert parent.judgement is not None
    assert child.judgement is not None
    flips = [
        n
        for n, pair in enumerate(zip(parent.judgement.predicted, child.judgement.predicted, strict=False))
        if len(set(pair)) > 1
    ]
    assert (child.agreement.parent, child.agreement.flips, child.agreement.total) == (parent.title, len(flips), 84)
    gain = child.agreement.paired.gain
    assert gain == pytest.approx(child.judgement.accuracy.value - parent.judgement.accuracy.value)
    assert {flip.image for flip in child.agreement.felt} <= set(flips)


def test_start_profile_and_conditions_are_there(measured: Measured) -> None:
    for row in measured.result.rows:
        assert row.start is not None
        assert min(row.start.peak_bytes) > max(row.start.empty_bytes)
    where = measured.result.conditions
    assert where.processors >= 1
    assert "numpy" in where.versions
    assert (where.board or where.processor) in measured.stdout


def test_markdown_tells_command_machine_and_figures(measured: Measured) -> None:
    assert measured.markdown.startswith("`fer-bench ")
    assert measured.result.time[:10] in measured.markdown
    table = [line for line in measured.markdown.splitlines() if line.startswith("| tiny-int8, 2 threads")]
    assert len(table) == 3


def test_quick_leaves_out_what_takes_long(tiny_int8: Path, tmp_path: Path) -> None:
    done = bench(tiny_int8, "--quick", "--json", tmp_path / "report.json")
    assert done.exit_code == 0, done.output
    result = read(tmp_path / "report.json")
    (row,) = result.rows
    assert (row.profile, row.judgement, row.agreement, result.data) == (None, None, None, None)
    assert result.settings.quick
    assert "Cut short by --quick" in done.stdout
    assert "accuracy" not in done.stdout


def test_a_whole_measurement_of_one_model(tiny_int8: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    done = bench(
        tiny_int8, "--runs", 64, "--seconds", 0, "--processes", 2, "--loop", "demo", "--operators", "--json", path
    )
    assert done.exit_code == 0, done.output
    result = read(path)
    (row,) = result.rows
    assert row.start is not None
    assert len(row.start.load_ms) == 2
    assert row.profile is not None
    operators = row.profile.operators
    assert len(operators) == len({one.index for one in operators}) > 60
    assert row.cost is not None
    assert sum(one.multiply_accumulates for one in operators) == row.cost.multiply_accumulates
    assert f"XNNPACK runs {row.profile.delegated} of {len(operators)} operators" in done.stdout
    assert "CONV_2D" in done.stdout
    assert result.loops is not None
    assert [loop.name for loop in result.loops.loops] == ["fer-edge", "full-frame", "naive"]
    assert "naive" in done.stdout


def test_a_folder_stands_for_its_models(tiny_int8: Path, tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.tflite").write_bytes(tiny_int8.read_bytes())
    (tmp_path / "notes.txt").write_text("no model")
    done = bench(tmp_path, *FEW, "--json", tmp_path / "report.json")
    assert done.exit_code == 0, done.output
    rows = read(tmp_path / "report.json").rows
    assert [Path(row.file).name for row in rows] == ["a.tflite", "b.tflite"]
    # Both call themselves the same.
    assert [row.title for row in rows] == ["tiny-int8", "tiny-int8 (2)"]


def test_a_split_can_be_chosen_and_folders_given(tiny_int8: Path, mini_folders: Path, tmp_path: Path) -> None:
    for choice, split, total in (((), "test", 21), (("--split", "train"), "train", 70)):
        path = tmp_path / f"{split}.json"
        data = ("--data", mini_folders, "--parent", "none")
        assert bench(tiny_int8, *data, *choice, *FEW, "--json", path).exit_code == 0
        (row,) = read(path).rows
        assert row.judgement is not None
        assert (row.judgement.accuracy.split, row.judgement.accuracy.total) == (split, total)
        assert row.agreement is None


def test_a_parent_can_be_given(tiny_int8: Path, tiny_fp32: Path, mini_csv: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    done = bench(tiny_int8, "--data", mini_csv, "--parent", tiny_fp32, *FEW, "--json", path)
    assert done.exit_code == 0, done.output
    (row,) = read(path).rows
    assert row.agreement is not None
    assert row.agreement.parent == "tiny-fp32"


def test_without_a_model_the_shipped_ones_are_measured(mini_csv: Path) -> None:
    done = bench("--data", mini_csv, *FEW)
    assert done.exit_code == 0, done.output
    shown = [line.split()[0] for line in done.stdout.split("\n\n")[0].splitlines()[2:]]
    assert shown == [ModelMetadata.of(path).name for path in shipped_models()]
    assert shown


def test_the_best_within_a_budget_is_named(measured: Measured) -> None:
    fp32, int8 = measured.models
    size = int8.stat().st_size
    done = bench(fp32, int8, *FEW, "--budget", f"size<={size}B")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "within the budget: tiny-int8 (of 1 that fit)"
    done = bench(fp32, int8, *FEW, "--budget", f"size<={size - 1}B")
    assert done.exit_code == 1
    assert f"no variant fits the budget: none keeps size<={size - 1}B; nearest is tiny-int8" in done.stdout


def test_a_baseline_that_was_better_is_a_failure(measured: Measured, tmp_path: Path) -> None:
    arguments = (*measured.models, "--threads", "1,2", *FEW, "--any-conditions")
    faster, slower = tmp_path / "faster.json", tmp_path / "slower.json"
    for path, factor in ((faster, 0.1), (slower, 10.0)):
        rows = []
        for row in measured.result.rows:
            assert row.latency is not None
            rounds = tuple(tuple(factor * sample for sample in one) for one in row.latency.rounds_ms)
            rows.append(msgspec.structs.replace(row, latency=msgspec.structs.replace(row.latency, rounds_ms=rounds)))
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(measured.result, rows=tuple(rows))))
    done = bench(*arguments, "--baseline", faster)
    assert done.exit_code == 1
    assert "worse than the baseline: tiny-int8, 1 thread: p50 takes " in done.stdout
    done = bench(*arguments, "--baseline", slower, "--max-regression", "10%")
    assert done.exit_code == 0, done.output
    assert "not worse than the baseline of " in done.stdout


def test_other_conditions_refuse_the_comparison(measured: Measured, tmp_path: Path) -> None:
    elsewhere = msgspec.structs.replace(measured.result.conditions, processor="Cortex-A53")
    path = tmp_path / "then.json"
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(measured.result, conditions=elsewhere)))
    done = bench(measured.models[0], "--threads", "1,2", *FEW, "--baseline", path)
    assert done.exit_code == 1
    assert "no comparison with the baseline: processor 'Cortex-A53' then, " in done.stderr
    assert "worse" not in done.stdout


def test_it_needs_no_tensorflow(tiny_fp32: Path, mini_csv: Path) -> None:
    blocked = "for name in ('tensorflow', 'tf_keras', 'keras', 'sklearn', 'matplotlib'): sys.modules[name] = None"
    code = f"import sys\n{blocked}\nfrom fer_bench.cli import main\nmain()"
    command = [sys.executable, "-c", code, str(tiny_fp32), "--data", str(mini_csv), *map(str, FEW)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "tiny-fp32" in done.stdout
    assert "accuracy % (95 %)" in done.stdout
