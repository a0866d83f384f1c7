"""Every recipe: what is in its file, where it runs, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from click.testing import CliRunner, Result

from fer_convert.cli import main
from fer_convert.recipes import RECIPES
from fer_edge.classifier import Classifier
from fer_edge.evaluation import predict
from fer_edge.metadata import ModelMetadata, read_model
from fer_edge.verifying import verify
from fer_train.run_folder import CALIBRATION, RunFolder
from fer_train.samples import write

POST_TRAINING = ["fp32", "fp16", "dynamic", "int8", "int16x8"]


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def all_of_them(plain_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Convert one run by all recipes that need no training: the folder, and the reports as printed."""
    out = tmp_path_factory.mktemp("all")
    result = convert(plain_run, "--all", "--json", "--max-drop", "100", "--out", out)
    assert result.exit_code == 0, result.output
    return out, json.loads(result.stdout)


def raw(path: Path) -> Any:
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def test_recipes_are_named_once() -> None:
    assert [recipe.name for recipe in RECIPES] == [*POST_TRAINING, "qat-int8"]


def test_all_gives_a_file_and_a_report_each(all_of_them: tuple[Path, list[dict[str, Any]]]) -> None:
    out, reports = all_of_them
    assert [report["recipe"] for report in reports] == POST_TRAINING
    names = sorted(f"plain-{recipe}.{kind}" for recipe in POST_TRAINING for kind in ("json", "tflite"))
    assert sorted(path.name for path in out.iterdir()) == names
    for report in reports:
        path = out / f"plain-{report['recipe']}.tflite"
        assert report == json.loads(path.with_suffix(".json").read_text())
        assert report["bytes"] == path.stat().st_size
        assert ModelMetadata.of(path).recipe == report["recipe"]


@pytest.mark.parametrize(
    ("recipe", "ends", "integer", "types"),
    [
        ("fp32", "float32", False, {"float32"}),
        ("fp16", "float32", False, {"float32", "float16"}),
        ("dynamic", "float32", False, {"float32", "int8"}),
        ("int8", "int8", True, {"int8"}),
        ("int16x8", "float32", False, {"int8", "int16", "float32"}),
    ],
)
def test_types_are_those_of_the_recipe(
    recipe: str, ends: str, integer: bool, types: set[str], all_of_them: tuple[Path, list[dict[str, Any]]]
) -> None:
    out, reports = all_of_them
    (report,) = (one for one in reports if one["recipe"] == recipe)
    assert (report["ends"], report["integer"]) == (ends, integer)
    interpreter = raw(out / f"plain-{recipe}.tflite")
    found = {np.dtype(tensor["dtype"]).name for tensor in interpreter.get_tensor_details() if tensor["name"]}
    # Shapes and biases are int32, and int64 beside int16.
    assert found - {"int32", "int64"} == types
    assert report["operators"]["CONV_2D"] == 3
    assert report["operators"]["FULLY_CONNECTED"] == 2


def test_bytes_are_those_of_the_recipe(all_of_them: tuple[Path, list[dict[str, Any]]]) -> None:
    sizes = {report["recipe"]: report["bytes"] for report in all_of_them[1]}
    assert sizes["fp16"] / sizes["fp32"] == pytest.approx(0.5, abs=0.03)
    for recipe in ("dynamic", "int8", "int16x8"):
        assert 0.24 < sizes[recipe] / sizes["fp32"] < 0.32


def test_labels_stay_those_of_the_float_model(all_of_them: tuple[Path, list[dict[str, Any]]]) -> None:
    for report in all_of_them[1]:
        assert report["agreement"] >= {"fp32": 1.0, "fp16": 0.97}.get(report["recipe"], 0.9)
        paired = report["paired"]
        assert paired["total"] == report["images"] == 84
        assert 84 * paired["gain"] == pytest.approx(paired["only_second"] - paired["only_first"])
        right = report["float_accuracy"]["correct"] - paired["only_first"] + paired["only_second"]
        assert report["accuracy"]["correct"] == right
        assert 0 <= report["divergence"] < 0.05


def test_every_recipe_runs_in_the_older_interpreter(
    all_of_them: tuple[Path, list[dict[str, Any]]],
    mini_faces: dict[str, tuple[Any, Any]],
    repository: Path,
    tmp_path: Path,
) -> None:
    other_python = os.environ.get("FER_TEST_TFLITE_PYTHON")
    if not other_python:
        pytest.skip("FER_TEST_TFLITE_PYTHON names no Python that has tflite_runtime")
    faces = mini_faces["public"][0]
    np.save(tmp_path / "faces.npy", faces)
    script = repository / "tests" / "edge_runtime" / "predict_with_runtime.py"
    for path in sorted(all_of_them[0].glob("*.tflite")):
        arguments = [path, tmp_path / "faces.npy", "tflite-runtime", "portable", tmp_path / "theirs.npy"]
        environment = os.environ | {"PYTHONPATH": str(repository / "edge_runtime")}
        done = subprocess.run(
            [other_python, script, *arguments], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{path.name}: {done.stderr}"
        ours = predict(Classifier.load(path, portable=True), faces)
        theirs = np.load(tmp_path / "theirs.npy")
        assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).all(), path.name
        assert np.abs(ours - theirs).max() < 0.01, path.name


def test_every_file_proves_itself_in_both_interpreters(
    all_of_them: tuple[Path, list[dict[str, Any]]], repository: Path
) -> None:
    paths = sorted(all_of_them[0].glob("*.tflite"))
    for path in paths:
        model, metadata = read_model(path)
        verdict = verify(model, metadata, threads=2)
        assert (verdict.failures, verdict.tested) == ((), True), path.name
    other_python = os.environ.get("FER_TEST_TFLITE_PYTHON")
    if not other_python:
        pytest.skip("FER_TEST_TFLITE_PYTHON names no Python that has tflite_runtime")
    code = "from fer_edge.cli import main; main()"
    command = [other_python, "-c", code, "models", "verify", "--runtime", "tflite-runtime", *map(str, paths)]
    environment = os.environ | {"PYTHONPATH": str(repository / "edge_runtime")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("; largest difference ") == len(paths)


@pytest.mark.parametrize(
    ("recipe", "release"),
    [("fp32", "1.5.0"), ("fp16", "1.15.0"), ("dynamic", "2.4.0"), ("int8", "2.10.0"), ("int16x8", "2.10.0")],
)
def test_the_release_that_a_file_needs(
    recipe: str, release: str, all_of_them: tuple[Path, list[dict[str, Any]]]
) -> None:
    assert ModelMetadata.of(all_of_them[0] / f"plain-{recipe}.tflite").minimum_runtime == release


@pytest.mark.parametrize("ends", ["uint8", "float32"])
def test_an_integer_model_takes_and_gives_what_was_asked_for(
    ends: str,
    plain_run: Path,
    tmp_path: Path,
    all_of_them: tuple[Path, list[dict[str, Any]]],
    mini_faces: dict[str, Any],
) -> None:
    result = convert(plain_run, "--int8", "--io", ends, "--max-drop", "100", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    path = tmp_path / "plain-int8.tflite"
    interpreter = raw(path)
    details = interpreter.get_input_details() + interpreter.get_output_details()
    assert [np.dtype(detail["dtype"]).name for detail in details] == [ends, ends]
    report = json.loads(path.with_suffix(".json").read_text())
    assert (report["ends"], report["integer"]) == (ends, ends != "float32")
    faces = mini_faces["public"][0]
    same = predict(Classifier.load(all_of_them[0] / "plain-int8.tflite"), faces)
    assert np.abs(predict(Classifier.load(path), faces) - same).max() < 2 / 256


def test_the_table_tells_what_was_lost(plain_run: Path, tmp_path: Path) -> None:
    result = convert(plain_run, "--fp32", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    header, _, row, last = result.stdout.splitlines()
    assert header.split("  ")[0] == "file"
    assert row.split()[0] == str(tmp_path / "plain-fp32.tflite")
    assert "100.00" in row
    assert last.startswith("on 84 held-out faces (public); the float model has ")


@pytest.mark.slow
def test_a_conversion_by_noise_is_over_the_budget(
    tiny_run: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    info, held_out = RunFolder(run).info, RunFolder(run).held_out()
    # Black pictures for calibration: whatever a face excites is cut off.
    black = type(held_out)(tuple(np.zeros_like(face) for face in held_out.faces), held_out.labels)
    write(run / CALIBRATION, black, info.input)
    out = tmp_path / "models"
    result = convert(run, "--fp32", "--int8", "--max-drop", "2", "--out", out)
    assert result.exit_code == 1
    lost = the_error(result)
    assert lost.startswith("not written, as more points of accuracy are lost than --max-drop 2: run-int8 ")
    assert float(lost.split()[-1]) > 2
    assert sorted(path.name for path in out.iterdir()) == ["run-fp32.json", "run-fp32.tflite"]
    assert "(run-int8)" in result.stdout


def test_a_file_that_is_there_is_not_replaced(
    plain_run: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    path = tmp_path / "plain-fp32.tflite"
    path.write_text("precious")
    result = convert(plain_run, "--fp32", "--int8", "--out", tmp_path)
    assert (result.exit_code, the_error(result)) == (
        2,
        f"{path} is there already: replace it with --force, or choose another --out",
    )
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [(path.name, "precious")]
    assert convert(plain_run, "--fp32", "--force", "--out", tmp_path).exit_code == 0
    assert ModelMetadata.of(path).recipe == "fp32"


def test_io_is_for_integers(plain_run: Path, tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    result = convert(plain_run, "--fp16", "--io", "uint8", "--out", tmp_path)
    assert (result.exit_code, the_error(result)) == (2, "--io uint8 is for full-integer recipes: int8, qat-int8")
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_finite_are_told(
    plain_run: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    run = Path(shutil.copytree(plain_run, tmp_path / "run"))
    model = RunFolder(run).model()
    broken = model.get_weights()
    broken[0][:] = np.nan
    model.set_weights(broken)
    model.save(run / "model.keras")
    result = convert(run, "--fp32", "--out", tmp_path / "models")
    assert (result.exit_code, the_error(result)) == (1, f"{run} has weights that are not finite: train again")
    assert not (tmp_path / "models").exists()


def test_help_needs_no_tensorflow() -> None:
    code = "import sys; sys.modules['tensorflow'] = None; from fer_convert.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"--{recipe} " in done.stdout for recipe in POST_TRAINING)
