from __future__ import annotations

import gzip
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from ai_edge_litert.interpreter import Interpreter
from click.testing import CliRunner, Result

from fer_convert import converter
from fer_convert.cli import main
from fer_edge import evaluation, preprocessing, reliability
from fer_edge.classifier import Classifier
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import ModelMetadata
from fer_train import fitting
from fer_train.callbacks import NonFiniteLossError
from fer_train.run_folder import RunFolder
from once import Said


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def raw_interpreter(path: Path) -> Any:
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def by_hand(path: Path, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Run a model without any of our code: what a stranger with an interpreter gets."""
    interpreter = raw_interpreter(path)
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for one in inputs:
        scale, zero_point = source["quantization"]
        if scale:
            one = np.clip(np.floor(one.astype(np.float64) / scale + 0.5001) + zero_point, -128, 127)
        interpreter.set_tensor(source["index"], one[np.newaxis].astype(source["dtype"]))
        interpreter.invoke()
        row = interpreter.get_tensor(target["index"])[0].astype(np.float64)
        scale, zero_point = target["quantization"]
        rows.append((row - zero_point) * scale if scale else row)
    return np.asarray(rows, np.float32)


@pytest.fixture(scope="module")
def held_out(tiny_run: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    run = RunFolder(tiny_run)
    split = run.held_out()
    # To the last bit: a grey level lies halfway between two int8 steps, so other arithmetic would round it elsewhere.
    return preprocessing.to_input(np.stack(split.faces), run.info.input), split.labels


@pytest.fixture(scope="module")
def parent(tiny_run: Path, held_out: tuple[Any, Any]) -> npt.NDArray[np.float32]:
    rows: npt.NDArray[np.float32] = RunFolder(tiny_run).model().predict(held_out[0], verbose=0)
    return rows


@pytest.fixture(params=["int8", "fp32"])
def recipe(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def converted(recipe: str, request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(f"tiny_{recipe}")
    return path


def test_without_a_run_the_newest_becomes_int8(int8_conversion: Said, tiny_int8: Path) -> None:
    # An older run stands beside it.
    assert sorted(path.name for path in tiny_int8.parent.iterdir()) == ["tiny-int8.json", "tiny-int8.tflite"]
    assert "converting runs/tiny" in int8_conversion.stderr
    report = json.loads(tiny_int8.with_suffix(".json").read_text())
    assert f"{report['bytes']:,}" in int8_conversion.stdout
    assert f"{100 * report['agreement']:.2f}" in int8_conversion.stdout
    measured = f"{100 * report['float_accuracy']['correct'] / 84:.2f}"
    assert int8_conversion.stdout.endswith(f"on 84 held-out faces (public); the float model has {measured} %\n")


def test_a_named_run_becomes_what_was_asked_for(fp32_conversion: Said, tiny_fp32: Path) -> None:
    assert sorted(path.name for path in tiny_fp32.parent.iterdir()) == ["tiny-fp32.json", "tiny-fp32.tflite"]
    assert "tiny-fp32.tflite" in fp32_conversion.stdout


def test_the_file_describes_itself(converted: Path, recipe: str, tiny_run: Path) -> None:
    metadata, info = ModelMetadata.of(converted), RunFolder(tiny_run).info
    assert (metadata.name, metadata.recipe, metadata.format_version) == (f"tiny-{recipe}", recipe, 2)
    assert metadata.labels == EXPRESSIONS
    assert metadata.input == info.input
    assert metadata.parameters == info.parameters
    assert metadata.origin.run == "tiny"
    assert metadata.origin.architecture == "mobilenetv2"
    assert (metadata.origin.data, metadata.origin.data_sha256) == ("FER2013", info.data.sha256)
    assert datetime.fromisoformat(metadata.origin.created).utcoffset() is not None
    assert metadata.origin.versions["tensorflow"] == importlib.metadata.version("tensorflow")
    assert tuple(map(int, metadata.minimum_runtime.split("."))) >= (1, 5)


def test_a_stranger_finds_the_description_with_zipfile(converted: Path) -> None:
    with zipfile.ZipFile(converted) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["labels.txt", "metadata.json", "model.sha256"]
        assert archive.read("labels.txt").decode().split() == list(EXPRESSIONS)
        assert json.loads(archive.read("metadata.json"))["labels"] == list(EXPRESSIONS)


def test_int8_is_integer_throughout(tiny_int8: Path) -> None:
    details = raw_interpreter(tiny_int8).get_tensor_details()
    interpreter = raw_interpreter(tiny_int8)
    for end in (interpreter.get_input_details()[0], interpreter.get_output_details()[0]):
        assert end["dtype"] == np.int8
    # Sums and biases are int32; nothing is float.
    assert {np.dtype(detail["dtype"]).name for detail in details} == {"int8", "int32"}
    weights = [detail for detail in details if len(detail["shape"]) == 4 and detail["shape"][1] in (1, 3)]
    per_channel = [detail for detail in weights if len(detail["quantization_parameters"]["scales"]) > 1]
    # MobileNetV2 has 52 convolutions.
    assert len(per_channel) == 52
    for detail in per_channel:
        parameters = detail["quantization_parameters"]
        channels = detail["shape"][parameters["quantized_dimension"]]
        assert len(parameters["scales"]) == channels
        assert not parameters["zero_points"].any()


def test_fp32_stays_float(tiny_fp32: Path) -> None:
    details = raw_interpreter(tiny_fp32).get_tensor_details()
    assert not [detail for detail in details if np.dtype(detail["dtype"]) in (np.int8, np.uint8, np.float16)]
    assert raw_interpreter(tiny_fp32).get_input_details()[0]["dtype"] == np.float32


def test_int8_is_a_third_of_the_bytes(tiny_int8: Path, tiny_fp32: Path) -> None:
    # A quarter, but for what so small a network has besides its weights.
    assert tiny_int8.stat().st_size < 0.4 * tiny_fp32.stat().st_size


def test_fp32_gives_what_keras_gives(tiny_fp32: Path, held_out: tuple[Any, Any], parent: Any) -> None:
    found = by_hand(tiny_fp32, held_out[0])
    assert np.abs(found - parent).max() < 1e-4
    assert np.ptp(parent, axis=0).max() > 0.01


def test_int8_stays_near_keras(tiny_int8: Path, held_out: tuple[Any, Any], parent: Any) -> None:
    # Seven equal answers would be off by up to 0.86 where the model is sure.
    assert np.abs(by_hand(tiny_int8, held_out[0]) - parent).max() < 0.25
    assert np.corrcoef(by_hand(tiny_int8, held_out[0]).ravel(), parent.ravel())[0, 1] > 0.9


def test_the_report_is_true(
    converted: Path, recipe: str, tiny_run: Path, held_out: tuple[Any, Any], parent: Any
) -> None:
    report = json.loads(converted.with_suffix(".json").read_text())
    content, (inputs, labels) = converted.read_bytes(), held_out
    rows = by_hand(converted, inputs)
    assert (report["name"], report["recipe"]) == (f"tiny-{recipe}", recipe)
    assert report["bytes"] == len(content)
    assert report["gzip_bytes"] == pytest.approx(len(gzip.compress(content)), abs=100)
    assert report["parameters"] == RunFolder(tiny_run).info.parameters
    assert report["runtime"] == f"litert {importlib.metadata.version('ai-edge-litert')}"
    assert report["images"] == len(labels) == 84
    child, float_says = rows.argmax(axis=1), parent.argmax(axis=1)
    assert report["agreement"] == pytest.approx(np.mean(child == float_says))
    for name, says in (("accuracy", child), ("float_accuracy", float_says)):
        assert report[name]["split"] == "public"
        assert (report[name]["correct"], report[name]["total"]) == (np.count_nonzero(says == labels), 84)
    for name, says in (("recalls", child), ("float_recalls", float_says)):
        expected = {label: np.mean(says[labels == number] == number) for number, label in enumerate(EXPRESSIONS)}
        assert report[name] == pytest.approx(expected)
        balanced = report["balanced_accuracy" if name == "recalls" else "float_balanced_accuracy"]
        assert balanced == pytest.approx(np.mean(list(expected.values())))
    for name, given in (("calibration_error", rows), ("float_calibration_error", parent)):
        # Rows of a quantised softmax sum to 1 within a step or two.
        normal = given / given.sum(axis=1, keepdims=True)
        error = reliability.calibration_error(reliability.bins(normal, labels))
        assert report[name] == pytest.approx(error, abs=1e-3)
    difference = np.abs(rows / rows.sum(axis=1, keepdims=True) - parent)
    assert report["largest_difference"] == pytest.approx(difference.max(), abs=1e-5)
    assert report["mean_difference"] == pytest.approx(difference.mean(), abs=1e-6)


def test_the_accuracy_in_the_file_is_its_own(converted: Path) -> None:
    report = json.loads(converted.with_suffix(".json").read_text())
    accuracy = ModelMetadata.of(converted).accuracy
    assert accuracy is not None
    assert (accuracy.split, accuracy.correct, accuracy.total) == (
        report["accuracy"]["split"],
        report["accuracy"]["correct"],
        report["accuracy"]["total"],
    )


def test_the_float_accuracy_is_that_of_the_run(converted: Path, tiny_run: Path) -> None:
    report = json.loads(converted.with_suffix(".json").read_text())
    assert report["float_accuracy"] == json.loads((tiny_run / "run.json").read_text())["accuracy"]


def test_the_device_says_what_a_stranger_gets(converted: Path, tiny_run: Path, held_out: tuple[Any, Any]) -> None:
    ours = evaluation.predict(Classifier.load(converted), RunFolder(tiny_run).held_out().faces)
    theirs = by_hand(converted, held_out[0])
    np.testing.assert_allclose(ours, theirs / theirs.sum(axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(ours.sum(axis=1), 1, atol=1e-6)


def test_each_grey_level_is_a_step_of_the_input(tiny_run: Path, tiny_int8: Path) -> None:
    spec, source = RunFolder(tiny_run).info.input, Classifier.load(tiny_int8).interpreter.input
    levels = np.arange(256, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    # Scaled to -1..1, every one of them lies half-way between two steps.
    assert source.quantize(preprocessing.to_input(levels, spec))[..., 0].ravel().tolist() == list(range(-128, 128))


def check_fine_tuned(run: Path, data: Path, out: Path) -> None:
    # 84 faces judge a model that is hardly trained: two of them are more than the budget of points.
    result = convert(run, "--qat", "--data", data, "--qat-epochs", "1", "--max-drop", "100", "--out", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("qat: epoch   1/1  loss ")
    name = f"{run.name}-qat-int8"
    assert sorted(path.name for path in out.iterdir()) == [f"{name}.json", f"{name}.tflite"]
    model = out / f"{name}.tflite"
    described, report = ModelMetadata.of(model), json.loads(model.with_suffix(".json").read_text())
    assert (described.recipe, described.name) == ("qat-int8", name)
    assert report["qat"] == {"epochs": 1, "learning_rate": 2e-5, "augment": "standard"}
    assert (report["pruning"], report["teachers"]) == (None, [str(run)])
    assert report["agreement"] > 0.6
    interpreter = raw_interpreter(model)
    ends = interpreter.get_input_details() + interpreter.get_output_details()
    assert [end["dtype"] for end in ends] == [np.int8, np.int8]
    # Every activation and every weight is an integer: biases have 32 bits, shapes too.
    assert {np.dtype(tensor["dtype"]).name for tensor in interpreter.get_tensor_details()} <= {"int8", "int32"}


def test_training_with_rounding_in_the_loop(plain_run: Path, mini_csv: Path, tmp_path: Path) -> None:
    check_fine_tuned(plain_run, mini_csv, tmp_path)


@pytest.mark.slow
def test_mobilenetv2_with_rounding_in_the_loop(tiny_run: Path, mini_csv: Path, tmp_path: Path) -> None:
    check_fine_tuned(tiny_run, mini_csv, tmp_path)


def test_a_fine_tuning_that_diverges_is_told(
    plain_run: Path, mini_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, the_error: Callable[[Result], str]
) -> None:
    def diverge(*_: Any) -> None:
        raise NonFiniteLossError("the loss is not finite in step 2 of epoch 1: lower --learning-rate")

    monkeypatch.setattr(fitting, "fit_model", diverge)
    result = convert(plain_run, "--qat", "--data", mini_csv, "--out", tmp_path)
    assert (result.exit_code, the_error(result)) == (
        1,
        "the fine-tuning came to no finite loss: lower its learning rate",
    )
    assert not list(tmp_path.iterdir())


def test_training_needs_the_data_of_the_run(
    tiny_run: Path, mini_folders: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    result = convert(tiny_run, "--qat", "--out", tmp_path)
    assert (result.exit_code, the_error(result)) == (2, "--qat trains: give it the run's data with --data")
    result = convert(tiny_run, "--int8", "--data", mini_folders, "--out", tmp_path)
    assert (result.exit_code, the_error(result)) == (
        2,
        "--data is for --qat, --prune and --calibration: other recipes need no more than the run",
    )
    result = convert(tiny_run, "--qat", "--data", mini_folders, "--out", tmp_path)
    assert result.exit_code == 2
    assert the_error(result).endswith("is not the data that the run was trained on (its fingerprint differs)")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_run_is_told(tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        result = convert(path, "--out", tmp_path / "models")
        assert result.exit_code == 2
        assert the_error(result).startswith(f"{path} is not a run folder")
    assert not list(tmp_path.iterdir())


def test_without_any_run_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, the_error: Callable[[Result], str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = convert()
    assert result.exit_code == 2
    assert the_error(result).startswith("no run under runs: make one with 'fer-train fit'")


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("name", ["model.keras", "held_out.npz", "calibration.npz", "run.json"])
@pytest.mark.parametrize("damage", [cut_in_half, Path.unlink])
def test_a_damaged_run_is_told(
    name: str, damage: Callable[[Path], None], tiny_run: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    run = Path(shutil.copytree(tiny_run, tmp_path / "run"))
    damage(run / name)
    result = convert(run, "--out", tmp_path / "models")
    assert name in the_error(result)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.fixture
def quick(tiny_fp32: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the converter's answer from before, for tests of what comes after it."""
    with zipfile.ZipFile(tiny_fp32) as archive:
        flatbuffer = tiny_fp32.read_bytes()[: archive.infolist()[0].header_offset]
    monkeypatch.setattr(converter, "convert", lambda *_, **__: flatbuffer)


@pytest.mark.usefixtures("quick")
def test_an_out_that_is_a_file_is_told(tiny_run: Path, tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    (tmp_path / "models").write_text("precious")
    result = convert(tiny_run, "--fp32", "--out", tmp_path / "models")
    assert str(tmp_path / "models") in the_error(result)
    assert (tmp_path / "models").read_text() == "precious"


@pytest.mark.usefixtures("quick")
def test_an_out_below_a_file_is_told(tiny_run: Path, tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    (tmp_path / "file").write_text("precious")
    result = convert(tiny_run, "--fp32", "--out", tmp_path / "file" / "models")
    assert f"cannot write {tmp_path / 'file' / 'models'}" in the_error(result)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.usefixtures("quick")
def test_the_pair_is_written_whole_or_not_at_all(
    tiny_run: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    (tmp_path / "tiny-fp32.json").mkdir()
    result = convert(tiny_run, "--fp32", "--out", tmp_path)
    assert "tiny-fp32.json" in the_error(result)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny-fp32.json"]


@pytest.mark.usefixtures("quick")
def test_a_name_longer_than_metadata_takes_is_told(
    tiny_run: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    # Otherwise it writes a model that nothing of ours can open.
    run = Path(shutil.copytree(tiny_run, tmp_path / ("n" * 100)))
    result = convert(run, "--fp32", "--out", tmp_path / "models")
    if result.exit_code == 0:
        (model,) = (tmp_path / "models").glob("*.tflite")
        assert ModelMetadata.of(model).labels == EXPRESSIONS
    else:
        assert "n" * 100 in the_error(result)
        assert not (tmp_path / "models").exists()


def test_without_tensorflow_it_says_what_to_install(tiny_run: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['tensorflow'] = None; from fer_convert.cli import main; main()"
    command = [sys.executable, "-c", code, str(tiny_run), "--out", str(tmp_path / "models")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    error = done.stderr.splitlines()[-1]
    assert error.startswith("error: ")
    assert "pip install 'fer-edge[workstation]'" in error
    assert not list(tmp_path.iterdir())
