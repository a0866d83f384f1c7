from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_bench import latency, report
from fer_bench.cli import main
from fer_bench.latency import Latency
from fer_edge.classifier import Classifier
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import ModelMetadata, attach, read_model
from fer_edge.models import shipped_models
from fer_train import datasets

RUNS = 40


def bench(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@dataclass(frozen=True)
class Measured:
    stdout: str
    content: dict[str, Any]
    models: tuple[Path, Path]


@pytest.fixture(scope="module")
def measured(tiny_int8: Path, tiny_fp32: Path, mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    path = tmp_path_factory.mktemp("bench") / "deep" / "report.json"
    result = bench(tiny_int8, tiny_fp32, "--data", mini_csv, "--threads", "1,2", "--runs", RUNS, "--json", path)
    assert result.exit_code == 0, result.output
    assert [file.name for file in path.parent.iterdir()] == ["report.json"]
    return Measured(result.stdout, json.loads(path.read_text()), (tiny_int8, tiny_fp32))


def test_a_row_for_each_model_and_thread_count(measured: Measured) -> None:
    rows = measured.content["rows"]
    assert [(row["model"], row["threads"]) for row in rows] == [
        ("tiny-int8", 1),
        ("tiny-int8", 2),
        ("tiny-fp32", 1),
        ("tiny-fp32", 2),
    ]
    assert [row["file"] for row in rows] == [str(path) for path in measured.models for _ in (1, 2)]
    table = measured.stdout.splitlines()
    assert [line.split()[0] for line in table[2:6]] == [row["model"] for row in rows]
    assert f"{RUNS} runs each after {latency.WARM_UP_RUNS} to warm up" in table[6]
    assert len(table) == 7


def test_files_are_told_by_size_and_hash(measured: Measured) -> None:
    for row in measured.content["rows"]:
        content = Path(row["file"]).read_bytes()
        assert row["sha256"] == hashlib.sha256(content).hexdigest()
        assert row["bytes"] == len(content)
        assert row["gzip_bytes"] == pytest.approx(len(gzip.compress(content)), abs=100)
        assert row["parameters"] == ModelMetadata.of(Path(row["file"])).parameters
        assert f"{len(content):,}" in measured.stdout


def test_every_sample_is_kept_and_the_table_is_made_of_them(measured: Measured) -> None:
    for row, line in zip(measured.content["rows"], measured.stdout.splitlines()[2:6], strict=True):
        samples = row["latency"]["samples_ms"]
        assert len(samples) == RUNS
        assert min(samples) > 0
        # Percentiles by nearest rank: each is one of the samples.
        ranked = [sorted(samples)[ceil(RUNS * percent / 100) - 1] for percent in (50, 90, 99)]
        assert line.split()[4:7] == [f"{value:.3f}" for value in ranked]
        assert line.split()[7] == f"{round(1000 / ranked[0]):,}"


@pytest.mark.parametrize(
    ("samples", "percent", "value"),
    [((5.0,), 50, 5), ((3.0, 1.0, 2.0), 50, 2), ((4.0, 3.0, 2.0, 1.0), 50, 2), (range(1, 101), 99, 99)],
)
def test_percentiles_are_samples_by_nearest_rank(samples: tuple[float, ...], percent: float, value: float) -> None:
    assert Latency(samples_ms=tuple(samples)).percentile(percent) == value


def test_the_accuracy_is_that_of_the_models_on_the_data(measured: Measured, mini_csv: Path) -> None:
    split = datasets.load(mini_csv).splits["public"]
    for row in measured.content["rows"]:
        classifier = Classifier.load(Path(row["file"]), threads=1)
        whole = [(0, 0, face.shape[1], face.shape[0]) for face in split.faces]
        answers = [classifier.classify(face, latency.Box(*box)) for face, box in zip(split.faces, whole, strict=True)]
        predicted = np.asarray([EXPRESSIONS.index(max(answer, key=answer.__getitem__)) for answer in answers])
        right = predicted == split.labels
        assert row["accuracy"]["split"] == "public"
        assert (row["accuracy"]["correct"], row["accuracy"]["total"]) == (np.count_nonzero(right), 84)
        assert row["recalls"] == pytest.approx(
            {label: right[split.labels == number].mean() for number, label in enumerate(EXPRESSIONS)}
        )
        assert f" {100 * right.mean():.2f} (" in measured.stdout
        pairs = list(zip(split.labels.tolist(), predicted.tolist(), strict=True))
        assert row["confusion"] == [[pairs.count((true, said)) for said in range(7)] for true in range(7)]


def test_it_agrees_with_the_converters_report(measured: Measured) -> None:
    for row in measured.content["rows"]:
        said = json.loads(Path(row["file"]).with_suffix(".json").read_text())
        assert row["accuracy"] == said["accuracy"]
        assert row["bytes"] == said["bytes"]
        assert row["gzip_bytes"] == said["gzip_bytes"]


def test_the_conditions_are_named(measured: Measured) -> None:
    content = measured.content
    assert content["format_version"] == 1
    conditions = content["conditions"]
    assert conditions["processors"] == str(len(os.sched_getaffinity(0)))
    assert conditions["numpy"] == np.__version__
    assert conditions["fer-edge"] == importlib.metadata.version("fer-edge")
    assert conditions["processor"] in measured.stdout
    runtime = Classifier.load(measured.models[0], threads=1).interpreter.runtime
    assert {row["runtime"] for row in content["rows"]} == {f"{runtime.name} {runtime.version}"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n", "Some CPU @ 2 GHz"),
        (
            "processor\t: 0\nCPU part\t: 0xd08\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n",
            "Raspberry Pi 4 Model B Rev 1.4",
        ),
    ],
)
def test_the_processor_is_named_as_its_kernel_names_it(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert report._processor(tmp_path / "cpuinfo") == name


def test_a_processor_without_a_name_is_told_by_its_architecture(tmp_path: Path) -> None:
    assert report._processor(tmp_path / "absent") == os.uname().machine


def test_without_data_there_is_no_accuracy(tiny_int8: Path, tmp_path: Path) -> None:
    result = bench(tiny_int8, "--runs", 3, "--json", tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    (row,) = json.loads((tmp_path / "report.json").read_text())["rows"]
    assert (row["accuracy"], row["recalls"], row["confusion"]) == (None, {}, [])
    assert (row["threads"], len(row["latency"]["samples_ms"])) == (1, 3)
    assert "accuracy" not in result.stdout


def test_a_split_can_be_chosen_and_folders_given(tiny_int8: Path, mini_folders: Path, tmp_path: Path) -> None:
    for choice, split, total in (((), "test", 21), (("--split", "train"), "train", 70)):
        path = tmp_path / f"{split}.json"
        assert bench(tiny_int8, "--data", mini_folders, *choice, "--runs", 1, "--json", path).exit_code == 0
        (row,) = json.loads(path.read_text())["rows"]
        assert (row["accuracy"]["split"], row["accuracy"]["total"]) == (split, total)


def test_without_a_model_the_shipped_ones_are_measured() -> None:
    result = bench("--runs", 1)
    assert result.exit_code == 0, repr(result.exception)
    shown = [line.split()[0] for line in result.stdout.splitlines()[2:-1]]
    assert shown == [ModelMetadata.of(path).name for path in shipped_models()]
    assert shown


def test_models_take_turns_and_nothing_is_left_out(tiny_int8: Path) -> None:
    calls: list[str] = []

    class Recorder:
        def __init__(self, name: str) -> None:
            self.name = name

        def classify(self, gray: object, box: object) -> None:
            calls.append(self.name)

    steps: list[int] = []
    models: Any = [Recorder("a"), Recorder("b")]
    found = latency.measure(models, 20, steps.append)
    assert [len(one.samples_ms) for one in found] == [20, 20]
    assert sum(steps) == 40
    warm = latency.WARM_UP_RUNS
    assert calls[: 2 * warm] == ["a"] * warm + ["b"] * warm
    timed = "".join(calls[2 * warm :])
    assert timed == "a" * 16 + "b" * 16 + "a" * 4 + "b" * 4


@pytest.mark.parametrize(
    ("arguments", "exit_code", "reason"),
    [
        (["{model}", "--data", "absent.csv"], 2, "no data at absent.csv: give a FER2013 CSV file or a folder"),
        (["{model}", "--data", "{empty}"], 1, "is empty"),
        (["{model}", "--data", "{folder}"], 1, "has no folder train and no folder test"),
        (["{model}", "--split", "public"], 2, "--split needs --data"),
        (
            ["{model}", "--data", "{csv}", "--split", "private"],
            2,
            "FER2013 has no split 'private'; it has train, public",
        ),
        (["absent.tflite"], 1, "cannot read model absent.tflite: No such file or directory"),
        (["{folder}"], 1, "Is a directory"),
        (["{empty}"], 1, "is empty"),
        (["{csv}"], 1, "is not a TFLite model"),
        (["{cut}"], 1, "carries no metadata.json: it was not written by fer-convert, or its end is cut off"),
        (["{model}", "{coral}"], 1, "ptq.tflite carries no metadata.json"),
        (["{model}", "--runs", "1", "--json", "{empty}/report.json"], 1, "cannot write {empty}/report.json: "),
    ],
)
def test_bad_input_is_told_in_one_line(
    arguments: list[str],
    exit_code: int,
    reason: str,
    tiny_int8: Path,
    mini_csv: Path,
    shared_data: Callable[[str], Path],
    tmp_path: Path,
    the_error: Callable[[Result], str],
) -> None:
    folder, cut, empty, json_file = (tmp_path / name for name in ("folder", "cut.tflite", "empty", "report.json"))
    folder.mkdir()
    empty.write_bytes(b"")
    cut.write_bytes(tiny_int8.read_bytes()[:-500])
    coral = shared_data("weights/coral_tf2_mobilenet_v2_1.0_224_ptq.tflite")
    paths = {"model": tiny_int8, "csv": mini_csv, "coral": coral, "folder": folder, "cut": cut, "empty": empty}
    result = bench("--json", json_file, *(argument.format(**paths) for argument in arguments))
    assert reason.format(**paths) in the_error(result)
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.tflite", "empty", "folder"]


def test_a_folder_is_no_place_for_json(tiny_int8: Path, tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    assert str(tmp_path) in the_error(bench(tiny_int8, "--runs", 1, "--json", tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("threads", ["0", "-1", "65", "two", "1,,2", "", "1.5"])
def test_bad_thread_counts_are_told(threads: str, tiny_int8: Path) -> None:
    result = bench(tiny_int8, "--threads", threads)
    assert isinstance(result.exception, SystemExit)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.lower().count("error: ") == 1
    assert f"{threads!r} is no list of thread counts such as 1,2" in result.stderr.splitlines()[-1]


def test_the_same_thread_count_twice_is_one_row(tiny_int8: Path) -> None:
    result = bench(tiny_int8, "--threads", "1,1", "--runs", 1)
    assert len(result.stdout.splitlines()) == 4


def test_a_model_of_some_labels_is_judged_on_those(mini_csv: Path, tmp_path: Path) -> None:
    from fer_convert.cli import main as convert
    from fer_train.cli import main as train

    small = ["--arch", "cnn-1", "--input-size", "16", "--epochs", "1", "--labels", "happy,sad"]
    run = str(tmp_path / "two")
    for command, arguments in (
        (train, ["fit", "--data", str(mini_csv), *small, "--out", run]),
        (convert, [run, "--fp32", "--out", str(tmp_path)]),
    ):
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    result = bench(tmp_path / "two-fp32.tflite", "--data", mini_csv, "--runs", 1, "--json", tmp_path / "two.json")
    assert result.exit_code == 0, result.output
    (row,) = json.loads((tmp_path / "two.json").read_text())["rows"]
    # 12 faces of PublicTest a class.
    assert row["accuracy"]["total"] == 24
    assert list(row["recalls"]) == ["happy", "sad"]


def test_models_of_different_labels_are_no_comparison(
    tiny_int8: Path, tmp_path: Path, mini_csv: Path, the_error: Callable[[Result], str]
) -> None:
    content, known = read_model(tiny_int8)
    with zipfile.ZipFile(tiny_int8) as members:
        flatbuffer = content[: min(member.header_offset for member in members.infolist())]
    turned = msgspec.structs.replace(known, name="other", labels=tuple(reversed(known.labels)))
    other = tmp_path / "other.tflite"
    other.write_bytes(attach(flatbuffer, turned))
    error = the_error(bench(tiny_int8, other, "--data", mini_csv, "--runs", 1))
    assert error.startswith("tiny-int8 knows angry, disgust")
    assert "; other knows neutral, surprise" in error


def test_it_needs_no_tensorflow(tiny_int8: Path, mini_csv: Path) -> None:
    blocked = "for name in ('tensorflow', 'tf_keras', 'keras'): sys.modules[name] = None"
    code = f"import sys\n{blocked}\nfrom fer_bench.cli import main\nmain()"
    command = [sys.executable, "-c", code, str(tiny_int8), "--data", str(mini_csv), "--runs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "tiny-int8" in done.stdout
    assert "accuracy % (95 %)" in done.stdout
