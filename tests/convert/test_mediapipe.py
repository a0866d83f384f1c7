"""MediaPipe's ImageClassifier, which phone apps use, reads our files unchanged.

FER_TEST_MEDIAPIPE_PYTHON: a Python that has MediaPipe, which cannot be installed beside our OpenCV.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

from fer_convert.cli import main as convert_main
from fer_edge import evaluation, preprocessing
from fer_edge.classifier import Classifier
from fer_train.cli import main as train_main


@pytest.fixture(scope="module")
def python() -> str:
    path = os.environ.get("FER_TEST_MEDIAPIPE_PYTHON")
    if not path:
        pytest.skip("FER_TEST_MEDIAPIPE_PYTHON names no Python that has MediaPipe")
    return path


@pytest.fixture(scope="module")
def models(
    python: str, mini_csv: Path, tiny_fp32: Path, tiny_int8: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Give models by name: MobileNetV2, and cnn-1, which is converted in a tenth of its time, with three channels."""
    folder = tmp_path_factory.mktemp("phone")
    train = ["fit", "--data", str(mini_csv), "--arch", "cnn-1", "--input-size", "16", "--epochs", "2"]
    flags = ["--fp32", "--fp16", "--int8", "--io", "uint8", "--max-drop", "100"]
    for command, arguments in (
        (train_main, [*train, "--channels", "3", "--out", str(folder / "rgb")]),
        (train_main, [*train, "--channels", "1", "--out", str(folder / "gray")]),
        (convert_main, [str(folder / "rgb"), *flags, "--out", str(folder)]),
        (convert_main, [str(folder / "gray"), "--fp32", "--out", str(folder)]),
    ):
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return {path.stem: path for path in (tiny_fp32, tiny_int8, *sorted(folder.glob("*.tflite")))}


@pytest.fixture(scope="module")
def faces(mini_faces: dict[str, Any]) -> npt.NDArray[np.uint8]:
    pixels: npt.NDArray[np.uint8] = mini_faces["public"][0]
    return pixels


@pytest.fixture(scope="module")
def theirs(
    python: str, models: dict[str, Path], faces: npt.NDArray[np.uint8], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Give MediaPipe's answers for faces in the size of the model's input: by model, a row a face, or why not."""
    folder = tmp_path_factory.mktemp("theirs")
    arguments: list[str | Path] = [Path(__file__).with_name("classify_with_mediapipe.py"), folder / "out.json"]
    for number, path in enumerate(models.values()):
        spec = Classifier.load(path).metadata.input
        fitted = np.stack([preprocessing.fit_face(face, spec) for face in faces])
        np.save(folder / f"{number}.npy", np.repeat(fitted[..., np.newaxis], 3, axis=-1))
        arguments += [path, folder / f"{number}.npy"]
    done = subprocess.run([python, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(models, json.loads((folder / "out.json").read_text()), strict=True))


def probabilities(rows: list[dict[str, float]], labels: tuple[str, ...]) -> npt.NDArray[np.float64]:
    found = np.array([[row[label] for label in labels] for row in rows])
    return np.asarray(found / found.sum(axis=1, keepdims=True), np.float64)


@pytest.mark.parametrize("name", ["tiny-fp32", "rgb-fp32", "rgb-fp16"])
def test_a_float_model_says_what_it_says_here(
    name: str, models: dict[str, Path], theirs: dict[str, Any], faces: npt.NDArray[np.uint8]
) -> None:
    classifier = Classifier.load(models[name])
    ours = evaluation.predict(classifier, faces)
    found = probabilities(theirs[name], classifier.metadata.labels)
    assert (found.argmax(axis=1) == ours.argmax(axis=1)).all()
    assert np.abs(found - ours).max() < 1e-4
    assert np.ptp(ours, axis=0).max() > 0.01


def test_a_uint8_model_says_what_it_says_to_pixels(
    models: dict[str, Path], theirs: dict[str, Any], faces: npt.NDArray[np.uint8]
) -> None:
    classifier = Classifier.load(models["rgb-int8"])
    labels, interpreter = classifier.metadata.labels, classifier.interpreter
    found = probabilities(theirs["rgb-int8"], labels)
    rows = []
    for face in faces:
        pixels = preprocessing.fit_face(face, classifier.metadata.input)
        rows.append(interpreter.output.dequantize(interpreter.run(np.repeat(pixels[None, ..., None], 3, axis=-1)))[0])
    raw = np.stack(rows)
    assert np.abs(found - raw / raw.sum(axis=1, keepdims=True)).max() < 1 / 256
    # We round to the nearest step of the input, which is off the pixel by a grey level at most.
    assert np.abs(found - evaluation.predict(classifier, faces)).mean() < 0.02


def test_what_mediapipe_refuses(theirs: dict[str, Any]) -> None:
    assert "Requested one of these types: uint8/float32, got INT8" in theirs["tiny-int8"]
    assert "RGB" in theirs["gray-fp32"]
