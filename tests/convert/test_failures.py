"""What is left when a conversion fails: one line, a log where it helps, and never a part of a file."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fer_convert import converter
from fer_convert.cli import main
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import ModelMetadata
from fer_train.keras_setup import keras, tf


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def network(path: Path, step: Callable[[Any], Any]) -> Path:
    """Write a network with a step in its middle that is no layer."""
    face = keras.Input((16, 16, 1))
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3, activation="relu")(face))
    keras.Model(face, keras.layers.Dense(7, activation="softmax")(step(features))).save(path)
    return path


@pytest.fixture(scope="module")
def told(mini_csv: Path) -> list[object]:
    return ["--labels", ",".join(EXPRESSIONS), "--scale", "1/255", "--data", mini_csv]


@pytest.mark.parametrize("recipe", ["fp32", "int8"])
def test_an_operator_that_tflite_lacks_is_named(
    recipe: str, told: list[object], tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    model = network(tmp_path / "gamma.keras", lambda features: tf.math.igamma(features + 1.0, features + 2.0))
    out = tmp_path / "out"
    result = convert(model, f"--{recipe}", *told, "--out", out)
    log = out / f"gamma-{recipe}.log"
    assert (result.exit_code, the_error(result)) == (
        1,
        f"TensorFlow cannot convert the model to {recipe}: TFLite has no operator Igamma; put other layers there and "
        f"train again; the converter's log is {log}",
    )
    assert list(out.iterdir()) == [log]
    text = log.read_text()
    # What it wrote to the file descriptor by itself, and what it raised.
    assert "error: 'tf.Igamma' op is neither a custom op nor a flex op" in text
    assert "ConverterError: Could not translate MLIR to FlatBuffer" in text
    assert text.index("Details:\n\ttf.Igamma(") < text.index("Traceback (most recent call last):")


def test_an_operator_that_cannot_be_quantized_is_named(
    told: list[object], tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    model = network(tmp_path / "sum.keras", lambda features: tf.math.cumsum(features, axis=-1))
    out = tmp_path / "out"
    result = convert(model, "--fp32", "--int16x8", *told, "--max-drop", "100", "--out", out)
    assert result.exit_code == 1
    assert the_error(result) == (
        "TensorFlow cannot convert the model to int16x8: its operator CUMSUM cannot be quantized so; try another "
        f"recipe; the converter's log is {out / 'sum-int16x8.log'}"
    )
    # What was converted before is whole.
    assert sorted(path.name for path in out.iterdir()) == ["sum-fp32.json", "sum-fp32.tflite", "sum-int16x8.log"]
    assert ModelMetadata.of(out / "sum-fp32.tflite").recipe == "fp32"


def test_a_success_removes_the_log_of_a_failure(plain_run: Path, tmp_path: Path) -> None:
    (tmp_path / "plain-fp32.log").write_text("of yesterday")
    assert convert(plain_run, "--fp32", "--out", tmp_path).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain-fp32.json", "plain-fp32.tflite"]


def test_a_log_that_cannot_be_written_hides_no_reason(
    told: list[object], tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    model = network(tmp_path / "erf.keras", tf.math.erf)
    (tmp_path / "out").write_text("a file")
    result = convert(model, "--fp32", *told, "--out", tmp_path / "out" / "deeper")
    assert result.exit_code == 1
    assert "TFLite has no operator Erf; " in the_error(result)
    assert f"its log is lost: cannot write {tmp_path / 'out' / 'deeper' / 'erf-fp32.log'}: " in the_error(result)


@pytest.fixture
def disk_that_fills_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no file grow beyond half of what the converter gave."""
    before, real = resource.getrlimit(resource.RLIMIT_FSIZE), converter.convert

    def fill(*given: Any, **named: Any) -> bytes:
        flatbuffer = real(*given, **named)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(flatbuffer) // 2, before[1]))
        return flatbuffer

    monkeypatch.setattr(converter, "convert", fill)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("disk_that_fills_up")
def test_a_disk_that_fills_up_keeps_the_old_file(
    plain_run: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    path = tmp_path / "plain-fp32.tflite"
    path.write_text("precious")
    result = convert(plain_run, "--fp32", "--force", "--out", tmp_path)
    assert (result.exit_code, the_error(result)) == (1, f"cannot write {path}: File too large")
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [(path.name, "precious")]


@pytest.mark.parametrize(
    ("number", "code", "last"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_signal_in_the_middle_leaves_nothing(
    number: signal.Signals, code: int, last: str, plain_run: Path, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    # In the middle of the calibration, which takes a while for once.
    script = (
        "import time\n"
        "from fer_edge import preprocessing\n"
        "from fer_convert import cli, converter\n"
        "one_by_one = converter._one_by_one\n"
        "def slowly(faces, spec):\n"
        "    for number, face in enumerate(one_by_one(faces, spec)):\n"
        "        if number == 3:\n"
        "            open('calibrating', 'w').close()\n"
        "            time.sleep(60)\n"
        "        yield face\n"
        "converter._one_by_one = slowly\n"
        "cli.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, plain_run, "--int8", "--out", tmp_path / "out"],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "calibrating").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        # TensorFlow works in a temporary folder meanwhile.
        assert list(temporary.iterdir())
        process.send_signal(number)
        told = process.communicate(timeout=60)[1].split("\n")
    finally:
        process.kill()
    assert (process.returncode, [line for line in told if line][1:]) == (code, [f"error: {last}"])
    assert list(temporary.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calibrating", "temporary"]
