"""Models that fer-train did not make: what is read, what is refused, and what their files say of themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result

from fer_convert.cli import main
from fer_edge import preprocessing
from fer_edge.classifier import Classifier
from fer_edge.evaluation import predict
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import ModelMetadata
from fer_train import pipeline
from fer_train.datasets import Split
from fer_train.keras_setup import keras, tf
from fer_train.run_folder import RunFolder

LABELS = ",".join(EXPRESSIONS)


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def theirs(plain_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with one trained model in every form: a run's, so that what must come out is known."""
    folder = tmp_path_factory.mktemp("theirs")
    model = RunFolder(plain_run).model()
    model.save(folder / "theirs.keras")
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(folder / "theirs.h5")
    model.export(folder / "theirs")
    return folder


@pytest.fixture(scope="module")
def told(plain_run: Path, mini_csv: Path) -> list[object]:
    """Give the options that tell what the model's file does not."""
    spec = RunFolder(plain_run).info.input
    assert (spec.scale, spec.offset) == (1 / 255, 0)
    return ["--labels", LABELS, "--scale", "1/255", "--data", mini_csv]


@pytest.mark.parametrize(
    ("name", "kind", "architecture"),
    [
        ("theirs.keras", "Keras 2 model", "cnn-1"),
        ("theirs.h5", "Keras 2 model", "cnn-1"),
        ("theirs", "SavedModel", "unknown"),
    ],
)
def test_a_foreign_model_becomes_what_the_run_becomes(
    name: str, kind: str, architecture: str, theirs: Path, told: list[object], plain_run: Path, tmp_path: Path
) -> None:
    result = convert(theirs / name, "--fp32", *told, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    path, info = tmp_path / "theirs-fp32.tflite", RunFolder(plain_run).info
    report, described = json.loads(path.with_suffix(".json").read_text()), ModelMetadata.of(path)
    assert (described.input, described.labels) == (info.input, EXPRESSIONS)
    assert described.parameters == report["parameters"] == info.parameters
    assert (described.accuracy, report["float_accuracy"]["correct"]) == (info.accuracy, info.accuracy.correct)
    assert (report["images"], report["agreement"]) == (84, 1.0)
    assert report["largest_difference"] < 1e-4
    # Whose it is stands in the file.
    origin = described.origin
    assert origin.run == f"foreign {kind} {name}"
    assert origin.architecture == (RunFolder(plain_run).model().name if architecture == "cnn-1" else architecture)
    assert origin.data == "unknown; calibrated and judged on FER2013"
    assert len(origin.data_sha256) == 64
    assert report["origin"]["run"] == origin.run
    # What needs no calibration tells of none.
    assert report["calibration"] is None
    assert f"{origin.run}: {origin.architecture}, {origin.data}" in convert("inspect", path).stdout


def test_integers_are_calibrated_on_the_training_split(theirs: Path, told: list[object], tmp_path: Path) -> None:
    result = convert(theirs / "theirs", "--int8", *told, "--calibration", "100", "--max-drop", "100", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "theirs-int8.json").read_text())
    counts = report["calibration"].pop("counts")
    assert report["calibration"] == {"data": "FER2013", "size": 100, "seed": 1}
    assert list(counts) == list(EXPRESSIONS)
    assert set(counts.values()) == {14, 15}
    assert (report["ends"], report["integer"]) == ("int8", True)
    assert report["agreement"] > 0.9


@pytest.mark.slow
def test_training_with_rounding_in_the_loop(theirs: Path, mini_folders: Path, tmp_path: Path) -> None:
    data = ["--labels", LABELS, "--scale", "1/255", "--data", mini_folders]
    tuning = ["--qat", "--qat-epochs", "1", "--augment", "none", "--max-drop", "100"]
    result = convert(theirs / "theirs.h5", *tuning, *data, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "theirs-qat-int8.json").read_text())
    assert report["qat"] == {"epochs": 1, "learning_rate": 2e-5, "augment": "none"}
    assert report["calibration"]["size"] == 70
    assert (report["integer"], report["origin"]["data"]) == (True, "unknown; calibrated and judged on faces")


class _Frozen(tf.Module):  # type: ignore[misc]
    """A network as other frameworks' exporters write it: constants, one face at a time, in colour, no softmax."""

    def __init__(self) -> None:
        super().__init__()
        random = np.random.default_rng(1)
        self.kernel = random.normal(0, 0.2, (3, 3, 3, 6)).astype(np.float32)
        self.dense = random.normal(0, 0.5, (6, 7)).astype(np.float32)

    @tf.function(input_signature=[tf.TensorSpec([1, 40, 24, 3], tf.float32)])  # type: ignore[untyped-decorator]
    def __call__(self, face: Any) -> dict[str, Any]:
        maps = tf.nn.relu(tf.nn.conv2d(face, self.kernel, 2, "SAME"))
        return {"scores": tf.matmul(tf.reduce_mean(maps, [1, 2]), self.dense)}


def by_hand(path: Path, faces: npt.NDArray[np.uint8], path_spec: Path) -> npt.NDArray[np.float32]:
    """Run the float model without any of our code but the preprocessing: softmax(scores)."""
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    spec = ModelMetadata.of(path_spec).input
    inputs = preprocessing.to_input(pipeline.fitted(Split(tuple(faces), np.zeros(len(faces), np.int64)), spec), spec)
    scores = np.concatenate([serve(face=tf.constant(one[None]))["scores"].numpy() for one in inputs])
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def test_scores_get_a_softmax_when_asked_for(
    tmp_path: Path, mini_csv: Path, mini_faces: dict[str, Any], the_error: Callable[[Result], str]
) -> None:
    folder = tmp_path / "frozen.v2"
    tf.saved_model.save(_Frozen(), str(folder))
    data = ["--labels", LABELS, "--scale", "1/127.5", "--offset", "-1", "--data", mini_csv]
    result = convert(folder, "--fp32", *data, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert the_error(result).startswith(f"{folder} gives no probabilities: numbers of -")
    assert the_error(result).endswith("if it ends before the softmax, say so with --logits")
    assert not (tmp_path / "out").exists()

    result = convert(folder, "--fp32", "--int8", "--logits", *data, "--max-drop", "100", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    path = tmp_path / "out" / "frozen.v2-fp32.tflite"
    described = ModelMetadata.of(path)
    spec = described.input
    assert (spec.height, spec.width, spec.channels, spec.color) == (40, 24, 3, "rgb")
    assert (spec.scale, spec.offset, spec.face_size) == (1 / 127.5, -1, None)
    faces = mini_faces["public"][0]
    wanted = by_hand(folder, faces, path)
    assert np.abs(predict(Classifier.load(path), faces) - wanted).max() < 1e-5
    assert np.ptp(wanted, axis=0).max() > 0.01
    # Constants are weights as well.
    assert described.parameters >= 3 * 3 * 3 * 6 + 6 * 7
    assert json.loads((tmp_path / "out" / "frozen.v2-int8.json").read_text())["integer"]


@pytest.mark.slow
def test_a_file_of_keras_3_is_read_by_keras_3(tmp_path: Path, mini_csv: Path, repository: Path) -> None:
    code = (
        "import sys, keras\n"
        "keras.utils.set_random_seed(1)\n"
        "layers = keras.layers\n"
        "model = keras.Sequential([keras.Input((24, 24, 1)), layers.Conv2D(6, 3, strides=2, activation='relu'),\n"
        "    layers.BatchNormalization(), layers.GlobalMaxPooling2D(),\n"
        "    layers.Dense(7, activation='softmax')], name='third')\n"
        "model.save(sys.argv[1])\n"
    )
    path = tmp_path / "third.keras"
    environment = os.environ | {"KERAS_BACKEND": "tensorflow", "TF_USE_LEGACY_KERAS": "0"}
    subprocess.run([sys.executable, "-c", code, path], env=environment, check=True, capture_output=True)
    data = ["--labels", LABELS, "--scale", "1/255", "--data", mini_csv]
    result = convert(path, "--fp32", *data, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "third-fp32.json").read_text())
    assert (report["origin"]["run"], report["origin"]["architecture"]) == ("foreign Keras 3 model third.keras", "third")
    assert (report["agreement"], report["operators"]["CONV_2D"]) == (1.0, 1)
    # 6 kernels of 9 and their biases, 4 numbers for each of 6 channels, 6 x 7 and 7.
    assert report["parameters"] == 60 + 24 + 49


def simple(outputs: int = 1, size: int | None = 16, channels: int = 1, classes: int = 7) -> Any:
    face = keras.Input((size, 16, channels))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(face))
    heads = [keras.layers.Dense(classes, activation="softmax")(features) for _ in range(outputs)]
    return keras.Model(face, heads)


def weights_only(path: Path) -> None:
    simple().save_weights(path)


def a_lambda(path: Path) -> None:
    layers = [keras.Input((16, 16, 1)), keras.layers.Lambda(lambda face: 2 * face), keras.layers.Flatten()]
    with pytest.warns(UserWarning, match="HDF5"):
        keras.Sequential([*layers, keras.layers.Dense(7)]).save(path)


def a_layer_of_their_own(path: Path) -> None:
    layer = type("TheirOwn", (keras.layers.Layer,), {})
    keras.Sequential([keras.Input((16, 16, 1)), layer(), keras.layers.Flatten(), keras.layers.Dense(7)]).save(path)


def cut_off(path: Path) -> None:
    simple().save(path)
    os.truncate(path, path.stat().st_size // 2)


def of_a_later_keras(path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.99.0"}')


def not_finite(path: Path) -> None:
    model = simple()
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    model.save(path)


@pytest.mark.parametrize(
    ("name", "write", "reason"),
    [
        ("a.keras", lambda path: path.write_text("no model"), "is not a Keras file, or is damaged: "),
        ("a.h5", lambda path: path.write_text("no model"), "is not a Keras file, or is damaged: "),
        ("a.keras", cut_off, "is not a Keras file, or is damaged: "),
        ("a.h5", weights_only, "cannot be loaded by Keras 2: No model config found"),
        ("a.h5", a_lambda, "cannot be loaded by Keras 2: its Lambda layer lambda"),
        ("a.keras", a_layer_of_their_own, "cannot be loaded by Keras 2: "),
        ("a.keras", of_a_later_keras, "was written by Keras 3, which cannot read it here: "),
        ("a.keras", lambda path: simple(outputs=2).save(path), "has 1 inputs and 2 outputs"),
        ("a.keras", lambda path: simple(size=None).save(path), "takes float32 [None, None, 16, 1]: a model for faces"),
        ("a.keras", lambda path: simple(channels=2).save(path), "takes float32 [None, 16, 16, 2]: a model for faces"),
        ("a.keras", not_finite, "gives numbers that are not finite"),
    ],
)
def test_what_cannot_be_used_is_told(
    name: str,
    write: Callable[[Path], Any],
    reason: str,
    told: list[object],
    tmp_path: Path,
    the_error: Callable[[Result], str],
) -> None:
    write(tmp_path / name)
    result = convert(tmp_path / name, *told, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert the_error(result).startswith(f"{tmp_path / name} {reason}")
    assert [path.name for path in tmp_path.iterdir()] == [name]


class _OfOtherFaces(tf.Module):  # type: ignore[misc]
    """A network that claims a size and fails on it."""

    @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 1], tf.float32)])  # type: ignore[untyped-decorator]
    def __call__(self, face: Any) -> Any:
        flat = tf.reshape(face, tf.stack([-1, tf.size(face) // tf.shape(face)[0] // 2 + 3]))
        return tf.ensure_shape(tf.nn.softmax(flat[:, :7]), [None, 7])


def test_a_saved_model_that_cannot_be_used_is_told(
    told: list[object], tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    silent, other, broken = tmp_path / "silent", tmp_path / "other", tmp_path / "broken"
    tf.saved_model.save(tf.Module(), str(silent))
    tf.saved_model.save(_OfOtherFaces(), str(other))
    broken.mkdir()
    (broken / "saved_model.pb").write_text("no model")
    for path, reason in (
        (silent, "has no signature serving_default"),
        (other, "does not take faces: "),
        (broken, "cannot be loaded as a SavedModel: "),
    ):
        result = convert(path, *told, "--out", tmp_path / "out")
        assert result.exit_code == 1
        assert the_error(result).startswith(f"{path} {reason}")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"--scale": None}, "was not made by fer-train, and does not tell enough: give --scale"),
        ({"--labels": None, "--data": None}, "and does not tell enough: give --labels, --data"),
        ({"--labels": "happy,sad"}, "gives 7 numbers, --labels names 2: happy, sad"),
        ({"--labels": LABELS.replace("sad", "contempt")}, "FER2013 has no label contempt; it has angry"),
        ({"--labels": LABELS.replace("sad", "happy")}, "are not two or more different labels"),
        ({"--scale": "1/0"}, "'1/0' is no quotient of two numbers"),
        ({"--scale": "nan"}, "'nan' is not a number"),
        ({"--scale": "255"}, "255.0 is not in the range 0<x<=1"),
        ({"--offset": "x/y"}, "'x/y' is no quotient of two numbers"),
        ({"--logits": ""}, "gives probabilities already: leave out --logits"),
        ({"--calibration": "5"}, "--calibration 5 is fewer than the 7 labels: take at least one face of each"),
        # One of the 280 training faces is held out too, and so left out.
        ({"--calibration": "281"}, "--calibration 281 is more than the 279 faces of FER2013 to calibrate with"),
        ({"--calibration": "50", "--fp16": ""}, "--calibration is for recipes with integer activations: int8, "),
        ({"--qat": "", "MODEL": "theirs"}, "is no Keras 2 model, and only such a one can be fine-tuned"),
    ],
)
def test_what_cannot_be_meant_is_told(
    changes: dict[str, str | None],
    reason: str,
    theirs: Path,
    told: list[object],
    tmp_path: Path,
    the_error: Callable[[Result], str],
) -> None:
    options = dict(zip(map(str, told[::2]), map(str, told[1::2]), strict=True)) | changes
    model = theirs / (options.pop("MODEL", None) or "theirs.keras")
    given = [part for name, value in options.items() if value is not None for part in (name, value) if part]
    result = convert(model, *given, "--out", tmp_path / "out")
    assert result.exit_code == 2, result.output
    assert reason in the_error(result)
    assert not (tmp_path / "out").exists()


def test_a_run_tells_it_itself(plain_run: Path, tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    result = convert(plain_run, "--scale", "1/255", "--logits", "--out", tmp_path)
    assert (result.exit_code, the_error(result)) == (
        2,
        "--scale, --logits is for models that fer-train did not make: a run tells it itself",
    )


def test_what_is_no_model_is_told(tmp_path: Path, told: list[object], the_error: Callable[[Result], str]) -> None:
    (tmp_path / "model.onnx").write_text("a model of another world")
    for path in (tmp_path, tmp_path / "model.onnx", tmp_path / "absent.keras"):
        result = convert(path, *told)
        assert result.exit_code == 2
        assert the_error(result).startswith(f"{path} is not a run folder (no run.json in it), nor a Keras file")
