"""The TFLite release that a file says it needs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fer_convert import flatbuffer, releases
from fer_convert.flatbuffer import Layer
from fer_edge import runtimes
from fer_edge.classifier import Classifier
from fer_edge.metadata import InputSpec, ModelMetadata, Origin, attach
from fer_train.keras_setup import keras, tf


def convert(**settings: Any) -> bytes:
    """Convert a small network by TensorFlow's own defaults for dynamic range."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.layers.Input((16, 16, 1)),
            keras.layers.Flatten(),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(7, activation="softmax"),
        ]
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    for name, value in settings.items():
        setattr(converter, name, value)
    return bytes(converter.convert())


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory, small_input: InputSpec) -> Path:
    """Give a model with version 12 of FULLY_CONNECTED, which came with TFLite 2.17."""
    content = convert()
    assert 12 in [layer.version for layer in flatbuffer.layers(content)]
    minimum = releases.minimum(content)
    assert minimum == "2.17.0"
    metadata = ModelMetadata(
        name="new-dynamic",
        recipe="dynamic",
        labels=tuple("abcdefg"),
        input=small_input,
        parameters=1,
        minimum_runtime=minimum,
        origin=Origin(run="new", architecture="dense", data="none", data_sha256="", created="now", versions={}),
    )
    path = tmp_path_factory.mktemp("new") / "new-dynamic.tflite"
    path.write_bytes(attach(content, metadata))
    return path


def test_a_new_enough_interpreter_takes_it(new: Path) -> None:
    release = runtimes.find_runtime()[0].release
    assert release is not None
    assert releases.numbers(release) >= (2, 17)
    assert Classifier.load(new).metadata.minimum_runtime == "2.17.0"


def test_the_older_interpreter_refuses_it_in_our_words(new: Path, repository: Path) -> None:
    other_python = os.environ.get("FER_TEST_TFLITE_PYTHON")
    if not other_python:
        pytest.skip("FER_TEST_TFLITE_PYTHON names no Python that has tflite_runtime")
    environment = os.environ | {"PYTHONPATH": str(repository / "edge_runtime")}

    def run(code: str) -> subprocess.CompletedProcess[str]:
        command = [other_python, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    done = run(f"from fer_edge.cli import main; main(['models', 'verify', {str(new)!r}])")
    assert done.returncode == 1
    assert done.stdout == (
        f"failed  {new}: the model needs TFLite 2.17.0 or newer, installed is tflite-runtime 2.14.0: "
        "upgrade with 'pip install -U ai-edge-litert', or convert the run by another recipe\n"
    )
    # It is right: the interpreter itself has no such operator.
    done = run(f"from fer_edge.interpreter import Interpreter; Interpreter(open({str(new)!r}, 'rb').read())")
    assert "'FULLY_CONNECTED' version '12'" in done.stderr


def test_the_switch_makes_it_old_enough() -> None:
    content = convert(_experimental_disable_per_channel_quantization_for_dense_layers=True)
    assert releases.minimum(content) == flatbuffer.minimum_runtime(content) == "2.3.0"


def layer(operator: str, version: int, kind: str, scales: int = 0) -> Layer:
    return Layer(
        operator=operator,
        version=version,
        output=(1, 7),
        type=kind,
        scale=None,
        weight=(7, 64),
        weight_type="int8",
        weight_scales=scales,
        zeros=0.0,
        weight_bytes=448,
    )


@pytest.mark.parametrize(
    ("written", "layers", "expected"),
    [
        # The newest decides, whoever says it.
        ("1.5.0", [layer("CONV_2D", 1, "float32"), layer("DEQUANTIZE", 3, "float32")], "1.15.0"),
        ("2.9.0", [layer("CONV_2D", 3, "int8")], "2.9.0"),
        ("2.9.0", [layer("CONV_2D", 5, "float32"), layer("FULLY_CONNECTED", 12, "float32", 7)], "2.17.0"),
        # A version that is stamped for int8 does not take 16-bit integers.
        ("1.6.0", [layer("MEAN", 2, "int16")], "2.4.0"),
        ("1.6.0", [layer("SOFTMAX", 2, "int16"), layer("QUANTIZE", 1, "int16")], "2.3.0"),
        # Dense layers with a scale a channel, and with one.
        ("1.14.0", [layer("FULLY_CONNECTED", 4, "int8", 7)], "2.10.0"),
        ("1.14.0", [layer("FULLY_CONNECTED", 4, "int8", 1)], "1.14.0"),
        # A version newer than the list, an operator that is not in it.
        ("1.14.0", [layer("CONV_2D", 99, "float32")], "2.15.0"),
        ("2.5.0", [layer("CONV_3D", 1, "float32")], "2.5.0"),
        (None, [layer("CONV_3D", 1, "float32")], None),
        (None, [layer("CONV_2D", 3, "int8")], "1.14.0"),
    ],
)
def test_what_is_written_is_corrected_where_it_is_too_low(
    written: str | None, layers: list[Layer], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flatbuffer, "layers", lambda _model: layers)
    monkeypatch.setattr(flatbuffer, "minimum_runtime", lambda _model: written)
    assert releases.minimum(b"") == expected
