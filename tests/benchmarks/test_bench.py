from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from sklearn import metrics as reference

from fer_bench import latency, results
from fer_bench.cli import main
from fer_edge import evaluation
from fer_edge.classifier import Classifier
from fer_edge.metadata import ModelMetadata, attach, read_model
from fer_edge.models import shipped_models
from fer_train import datasets

# As little as shows that everything is there.
FEW = ("--quick", "--runs", 40, "--seconds", 0, "--processes", 0)


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def read(path: Path) -> results.Result:
    return msgspec.json.decode(path.read_bytes(), type=results.Result)


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


def relabelled(model: Path, path: Path, **changes: object) -> Path:
    """Write a copy of a model that says something else of itself."""
    content, known = read_model(model)
    with zipfile.ZipFile(model) as members:
        flatbuffer = content[: min(member.header_offset for member in members.infolist())]
    path.write_bytes(attach(flatbuffer, msgspec.structs.replace(known, **changes)))
    return path


@pytest.mark.parametrize(
    ("arguments", "reason", "rows"),
    [
        (["{model}", "absent.tflite"], "absent: cannot read model absent.tflite: No such file or directory", (1, 0)),
        (["{empty}", "{model}"], "empty: model {empty} is empty", (0, 1)),
        (["{model}", "{csv}"], "fer2013: {csv} is not a TFLite model", (1, 0)),
        (["{model}", "{cut}"], "cut: {cut} carries no metadata.json: it was not written by fer-convert", (1, 0)),
        (["{model}", "{coral}"], "ptq.tflite carries no metadata.json", (1, 0)),
        (["{model}", "--data", "absent.csv"], "accuracy: no data at absent.csv: give a FER2013 CSV file", (1,)),
        (["{model}", "--data", "{empty}"], "accuracy: ", (1,)),
        (["{model}", "--data", "{folder}"], "accuracy: ", (1,)),
        (["{model}", "--data", "{csv}", "--split", "private"], "has no split 'private'; it has train, public", (1,)),
        (["{model}", "--data", "{csv}"], "tiny-int8: agreement: its float parent is not among the models", (1,)),
        (["{model}", "--data", "{csv}", "--parent", "absent.tflite"], "float parent: cannot read model absent", (1,)),
        (
            ["{float}", "{other}", "--data", "{csv}"],
            "other: accuracy: it knows neutral, surprise, sad, happy, fear, disgust, angry, the others know angry",
            (1, 1),
        ),
        (["{float}", "--data", "{lacking}"], "public of FER2013 has no face of disgust: no recall of it", (1,)),
        (["{model}", "--loop", "absent.jpg"], "loop: ", (1,)),
    ],
)
def test_what_fails_is_told_in_a_line_and_the_rest_is_measured(
    arguments: list[str],
    reason: str,
    rows: tuple[int, ...],
    tiny_int8: Path,
    tiny_fp32: Path,
    mini_csv: Path,
    shared_data: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    folder, cut, empty, lacking = (tmp_path / name for name in ("folder", "cut.tflite", "empty.csv", "lacking.csv"))
    folder.mkdir()
    empty.write_bytes(b"")
    cut.write_bytes(tiny_int8.read_bytes()[:-500])
    lines = mini_csv.read_text().splitlines(keepends=True)
    lacking.write_text("".join(line for line in lines if not (line.startswith("1,") and "PublicTest" in line)))
    turned = tuple(reversed(ModelMetadata.of(tiny_fp32).labels))
    paths = {
        "model": tiny_int8,
        "float": tiny_fp32,
        "csv": mini_csv,
        "coral": shared_data("weights/coral_tf2_mobilenet_v2_1.0_224_ptq.tflite"),
        "folder": folder,
        "cut": cut,
        "empty": empty,
        "lacking": lacking,
        "other": relabelled(tiny_fp32, tmp_path / "other.tflite", name="other", labels=turned, self_test=None),
    }
    json_file = tmp_path / "report.json"
    done = bench(*(argument.format(**paths) for argument in arguments), *FEW, "--json", json_file)
    assert done.exit_code == 1, done.output
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning: ") and "not valid" not in line]
    assert len(warnings) == 1, done.stderr
    assert reason.format(**paths) in warnings[0]
    assert "Traceback" not in done.output
    result = read(json_file)
    assert [row.latency is not None for row in result.rows] == [bool(measured) for measured in rows]
    told = [failure for row in result.rows for failure in row.failures]
    assert len(told) == (0 if reason.startswith(("public of", "float parent", "loop")) else 1)


def test_a_missing_expression_has_no_recall(tiny_fp32: Path, mini_csv: Path, tmp_path: Path) -> None:
    lines = mini_csv.read_text().splitlines(keepends=True)
    lacking = tmp_path / "lacking.csv"
    lacking.write_text("".join(line for line in lines if not (line.startswith("1,") and "PublicTest" in line)))
    assert bench(tiny_fp32, "--data", lacking, *FEW, "--json", tmp_path / "r.json").exit_code == 1
    (row,) = read(tmp_path / "r.json").rows
    assert row.judgement is not None
    assert [label for label, recall in row.judgement.recalls.items() if recall is None] == ["disgust"]
    assert row.judgement.accuracy.total == 72


@pytest.mark.parametrize(
    ("arguments", "exit_code", "reason"),
    [
        (["{model}", "--split", "public"], 2, "--split needs --data"),
        (["{model}", "--parent", "none"], 2, "--parent needs --data"),
        (["{folder}"], 2, "the folder {folder} holds no .tflite file"),
        (["{model}", "--budget", "fast"], 2, "'fast' is no limit such as p90<=15ms"),
        (["{model}", "--baseline", "{empty}"], 1, "baseline {empty} is empty"),
        (["{model}", "--baseline", "absent.json"], 1, "cannot read baseline absent.json"),
        (["{model}", "--max-regression", "5"], 2, "'5' is no percentage such as 5%"),
        (["{model}", "--runtime", "onnx"], 2, "'onnx' is no runtime; there are litert, tflite-runtime, tensorflow"),
        (["{model}", "--seconds", "nan"], 2, "'nan' is not a number"),
        (["{model}", "--seconds", "inf"], 2, "inf is not in the range 0<=x<=3600"),
        *(
            (["{model}", "--threads", threads], 2, f"{threads!r} is no list")
            for threads in ("0", "65", "a", "1,,2", "")
        ),
    ],
)
def test_bad_input_is_told_before_anything_is_measured(
    arguments: list[str], exit_code: int, reason: str, tiny_int8: Path, tmp_path: Path
) -> None:
    folder, empty = tmp_path / "folder", tmp_path / "empty"
    folder.mkdir()
    empty.write_bytes(b"")
    paths = {"model": tiny_int8, "folder": folder, "empty": empty}
    done = bench(*(argument.format(**paths) for argument in arguments))
    assert (done.exit_code, done.stdout) == (exit_code, "")
    (line,) = [line for line in done.stderr.splitlines() if line]
    assert line.startswith("error: ")
    assert reason.format(**paths) in line


@pytest.mark.parametrize("option", ["--json", "--markdown"])
def test_what_cannot_be_written_is_told_before_measuring(option: str, tiny_int8: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = bench(tiny_int8, *FEW, option, tmp_path / "file" / "report")
    assert done.exit_code == 1
    assert done.stderr == f"error: cannot write {tmp_path}/file/report: {tmp_path}/file is not a folder\n"
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_interpreter_that_is_not_there_is_told(tiny_int8: Path, tmp_path: Path) -> None:
    done = bench(tiny_int8, "--runtime", "litert,tflite-runtime", *FEW, "--json", tmp_path / "r.json")
    there, other = read(tmp_path / "r.json").rows
    assert there.title == "tiny-int8, litert"
    assert there.latency is not None
    if other.latency is None:
        assert done.exit_code == 1
        assert "tiny-int8, tflite-runtime: " in done.stderr
        assert "no TFLite interpreter can be imported" in other.failures[0]


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


def test_a_disturbed_run_is_no_success_in_strict_mode(tiny_int8: Path, tmp_path: Path) -> None:
    # Over so soon that the load of other processes cannot be known, or else disturbed by the tests beside this one.
    code = "import time\nend = time.monotonic() + 300\nwhile time.monotonic() < end: pass"
    busy = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    try:
        done = bench(tiny_int8, "--quick", "--strict", "--json", tmp_path / "r.json", "--budget", "size<=99MB")
    finally:
        for process in busy:
            process.kill()
            process.wait()
    assert done.exit_code == 3, done.output
    assert "warning: not valid: " in done.stderr
    assert done.stdout.splitlines()[-1] == "within the budget: tiny-int8 (of 1 that fit)"
    assert read(tmp_path / "r.json").conditions.problems


def test_it_needs_no_tensorflow(tiny_fp32: Path, mini_csv: Path) -> None:
    blocked = "for name in ('tensorflow', 'tf_keras', 'keras', 'sklearn', 'matplotlib'): sys.modules[name] = None"
    code = f"import sys\n{blocked}\nfrom fer_bench.cli import main\nmain()"
    command = [sys.executable, "-c", code, str(tiny_fp32), "--data", str(mini_csv), *map(str, FEW)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "tiny-fp32" in done.stdout
    assert "accuracy % (95 %)" in done.stdout


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
