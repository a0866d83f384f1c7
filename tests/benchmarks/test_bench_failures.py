"""What `fer-bench` says where something cannot be measured."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bench_runs import FEW, bench, read
from fer_edge.metadata import ModelMetadata, attach, read_model


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
