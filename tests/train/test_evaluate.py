from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_edge.labels import EXPRESSIONS
from fer_train import datasets
from fer_train.cli import main
from fer_train.datasets import defects
from fer_train.judging import predicting
from fer_train.judging.metrics import judge

PICTURES = ["confusion.png", "mistakes.png", "predictions.png", "reliability.png"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def told(result: Result) -> dict[str, str]:
    """Give the value of each measure that a command printed."""
    assert result.exit_code == 0, result.output
    lines = [line.split("  ", 1) for line in result.stdout.splitlines() if "  " in line]
    return {name: value.strip() for name, value in lines}


@pytest.fixture(scope="module")
def evaluated(plain_run: Path, mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    out = tmp_path_factory.mktemp("evaluated") / "report"
    return run("evaluate", plain_run, "--data", mini_csv, "--out", out), out


@pytest.fixture(scope="module")
def together(
    plain_run: Path, model_path: Path, mini_csv: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Result, Path]:
    out = tmp_path_factory.mktemp("together") / "report"
    return run("ensemble", plain_run, model_path, "--data", mini_csv, "--out", out), out


@pytest.fixture(scope="module")
def others(plain_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give a function that copies the run with other labels in its `run.json`."""

    def copy(*labels: str) -> Path:
        path = tmp_path_factory.mktemp("others") / "other"
        shutil.copytree(plain_run, path)
        content = json.loads((path / "run.json").read_text())
        (path / "run.json").write_text(json.dumps({**content, "labels": labels}))
        return path

    return copy


def test_a_run_is_as_good_as_its_training_said(evaluated: tuple[Result, Path], plain_run: Path) -> None:
    result, out = evaluated
    measures, content = told(result), json.loads((out / "report.json").read_text())
    info = json.loads((plain_run / "run.json").read_text())
    assert content["accuracy"] == info["accuracy"]
    assert {one["label"]: one["recall"] for one in content["classes"]} == pytest.approx(info["recalls"])
    accuracy = info["accuracy"]
    assert measures["accuracy"].startswith(f"{100 * accuracy['correct'] / 84:.1f} % (95 %: ")
    assert measures["accuracy"].endswith(" of 84 on public")
    assert f"wrote {out / 'report.html'}" in result.stdout


def test_the_report_of_a_run_has_everything(evaluated: tuple[Result, Path], plain_run: Path, mini_csv: Path) -> None:
    _, out = evaluated
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [*PICTURES, "curves.png", "report.html", "report.json"]
    )
    content = json.loads((out / "report.json").read_text())
    facts = {name: content[name] for name in ("name", "model", "kind", "bytes", "data")}
    assert facts == {"name": "plain", "model": str(plain_run), "kind": "run", "bytes": None, "data": "FER2013"}
    assert content["leaked"] == defects.leaked(datasets.load(mini_csv), "public").sum()
    page = (out / "report.html").read_text()
    assert "<h1>plain on public</h1>" in page
    assert page.count("<img ") == 5
    assert all(f">{label}<" in page for label in EXPRESSIONS)


def test_a_model_file_is_judged_as_it_is(model_path: Path, mini_csv: Path) -> None:
    result = run("evaluate", model_path, "--data", mini_csv, "--split", "public")
    split = datasets.load(mini_csv).split("public")
    given = predicting.probabilities(model_path, split, EXPRESSIONS)
    expected = judge("public", given, split.labels, EXPRESSIONS, None)
    measures = told(result)
    assert measures["accuracy"] == str(expected.accuracy)
    assert measures["macro F1"] == f"{100 * expected.macro_f1:.1f} %"
    assert f"{model_path.stat().st_size:,} bytes" in result.stdout
    assert "wrote" not in result.stdout
    happy = next(line for line in result.stdout.splitlines() if line.startswith("happy ") and line.endswith(" 12"))
    assert f"{100 * (expected.classes[3].recall or 0):.1f} %" in happy


def test_accuracy_is_told_without_the_leaks(model_path: Path, mini_csv: Path, tmp_path: Path) -> None:
    """Make 5 images of PublicTest leak, each of which the model gets right."""
    split = datasets.load(mini_csv).split("public")
    right = np.flatnonzero(predicting.probabilities(model_path, split, EXPRESSIONS).argmax(axis=1) == split.labels)
    header, *rows = mini_csv.read_text().splitlines()
    public = [row for row in rows if row.endswith("PublicTest")]
    known = defects.leaked(datasets.load(mini_csv), "public")
    leaks = [public[number].replace("PublicTest", "Training") for number in right if not known[number]][:5]
    path = tmp_path / "fer2013.csv"
    path.write_text("\n".join([header, *rows, *leaks]) + "\n")
    measures = told(run("evaluate", model_path, "--data", path))
    found = defects.leaked(datasets.load(path), "public")
    assert found.sum() == known.sum() + 5
    correct = len(right) - np.count_nonzero(found[right])
    value = measures[f"without the {found.sum()} images that train has too"]
    assert value.startswith(f"{100 * correct / (84 - found.sum()):.1f} % ")
    assert value.endswith(f" of {84 - found.sum()} on public")


def test_a_model_file_is_judged_without_tensorflow(model_path: Path, mini_csv: Path) -> None:
    code = (
        "import sys\nfrom fer_train.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\nprint('tensorflow' in sys.modules)"
    )
    arguments = [sys.executable, "-c", code, "evaluate", str(model_path), "--data", str(mini_csv)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_a_run_on_some_labels_is_judged_on_those(mini_csv: Path, tmp_path: Path) -> None:
    small = ["--arch", "cnn-1", "--input-size", "16", "--epochs", "1", "--labels", "sad,happy"]
    assert run("fit", "--data", mini_csv, *small, "--out", tmp_path / "two").exit_code == 0
    result = run("evaluate", tmp_path / "two", "--data", mini_csv, "--out", tmp_path / "report")
    assert told(result)["accuracy"].endswith(" of 24 on public")
    content = json.loads((tmp_path / "report" / "report.json").read_text())
    assert content["accuracy"] == json.loads((tmp_path / "two" / "run.json").read_text())["accuracy"]
    assert [(one["label"], one["support"]) for one in content["classes"]] == [("sad", 12), ("happy", 12)]


def test_an_ensemble_is_the_mean_of_its_members(
    together: tuple[Result, Path], plain_run: Path, model_path: Path, mini_csv: Path
) -> None:
    result, out = together
    split = datasets.load(mini_csv).split("public")
    each = [predicting.probabilities(path, split, EXPRESSIONS) for path in (plain_run, model_path)]
    alone = [judge("public", given, split.labels, EXPRESSIONS, None) for given in each]
    both = judge("public", predicting.average(each), split.labels, EXPRESSIONS, None)
    content: dict[str, Any] = json.loads((out / "report.json").read_text())
    assert told(result)["accuracy"] == str(both.accuracy)
    assert content["accuracy"]["correct"] == both.accuracy.correct
    assert content["calibration_error"] == pytest.approx(both.calibration_error)
    members = [(one["model"], one["kind"], one["accuracy"]["correct"]) for one in content["members"]]
    assert members == [
        (str(plain_run), "run", alone[0].accuracy.correct),
        (str(model_path), "tflite", alone[1].accuracy.correct),
    ]
    rows = result.stdout.splitlines()[2:4]
    assert all(str(one.accuracy) in row for one, row in zip(alone, rows, strict=True))
    assert sorted(path.name for path in out.iterdir()) == sorted([*PICTURES, "report.html", "report.json"])
    page = (out / "report.html").read_text()
    assert all(str(one.accuracy) in page for one in alone)


def test_members_may_order_their_labels_differently(
    plain_run: Path, others: Callable[..., Path], mini_csv: Path
) -> None:
    """Turn the names of a copy's outputs round: the two then vote for each other's classes."""
    copy = others(*reversed(EXPRESSIONS))
    result = run("ensemble", plain_run, copy, "--data", mini_csv)
    split = datasets.load(mini_csv).split("public")
    given = predicting.probabilities(plain_run, split, EXPRESSIONS)
    expected = judge("public", (given + given[:, ::-1]) / 2, split.labels, EXPRESSIONS, None)
    assert told(result)["macro F1"] == f"{100 * expected.macro_f1:.1f} %"
    assert told(result)["accuracy"] == str(expected.accuracy)


def test_what_cannot_be_judged_is_told_in_a_line(
    plain_run: Path,
    model_path: Path,
    others: Callable[..., Path],
    mini_csv: Path,
    shared_data: Callable[[str], Path],
    the_error: Callable[[Result], str],
    tmp_path: Path,
) -> None:
    foreign = shared_data("weights/coral_tf2_mobilenet_v2_1.0_224_ptq.tflite")
    bored = others(*EXPRESSIONS[:6], "bored")
    (tmp_path / "file").write_text("text")
    data = ("--data", mini_csv)
    for arguments, code, reason in (
        (("evaluate", tmp_path / "absent", *data), 2, "absent: give a run folder of 'fer-train fit' or a .tflite"),
        (("evaluate", tmp_path, *data), 2, "is not a run folder (no run.json in it)"),
        (("evaluate", tmp_path / "file", *data), 1, "is not a TFLite model"),
        (("evaluate", foreign, *data), 1, "carries no metadata.json: it was not written by fer-convert"),
        (("evaluate", bored, *data), 2, "FER2013 has no label bored; it has angry, disgust, fear, happy, sad"),
        (("evaluate", plain_run, *data, "--split", "private"), 2, "has no split 'private'; it has train, public"),
        (("evaluate", plain_run, *data, "--out", tmp_path / "file"), 2, "is a file: --out names a folder"),
        (("ensemble", *data), 2, "an ensemble needs two or more models, not 0"),
        (("ensemble", plain_run, *data), 2, "an ensemble needs two or more models, not 1; 'fer-train evaluate'"),
        (("ensemble", model_path, bored, *data), 2, "an ensemble needs models of the same expressions"),
        (("ensemble", model_path, foreign, *data), 1, "carries no metadata.json"),
        (("ensemble", plain_run, model_path, *data, "--split", "x"), 2, "has no split 'x'; it has train, public"),
    ):
        result = run(*arguments)
        assert reason in the_error(result), arguments
        assert result.exit_code == code, arguments
        assert result.stdout == ""
