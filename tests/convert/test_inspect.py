"""`fer-convert inspect`: what is in a model file, ours or another's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from click.testing import CliRunner, Result

from fer_convert.cli import main
from fer_edge.labels import EXPRESSIONS


def inspect(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def inspected(path: Path) -> dict[str, Any]:
    result = inspect(path, "--json")
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def test_it_tells_what_the_interpreter_tells(shipped_model_path: Path) -> None:
    found = inspected(shipped_model_path)
    interpreter = Interpreter(model_path=str(shipped_model_path))
    constants = {}
    for detail in interpreter.get_tensor_details():
        # A weight is int8 and is there before the model has run.
        if np.dtype(detail["dtype"]) == np.int8 and len(detail["quantization_parameters"]["scales"]) > 1:
            constants[tuple(detail["shape"].tolist())] = interpreter.tensor(detail["index"])
    convolutions = [layer for layer in found["layers"] if layer["operator"] in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    # MobileNetV2 has 52 convolutions; each of its integer weights has a scale a channel.
    assert len(convolutions) == 52
    assert (found["ends"], found["integer"]) == ("int8", True)
    for layer in convolutions:
        assert layer["weight_type"] == "int8"
        assert layer["weight_scales"] == layer["output"][-1]
        assert layer["weight_bytes"] == np.prod(layer["weight"])
        assert tuple(layer["weight"]) in constants
    first = convolutions[0]
    assert (first["weight"], first["output"], first["version"]) == ([32, 3, 3, 3], [1, 32, 32, 32], 3)
    stem = constants[32, 3, 3, 3]()
    assert first["zeros"] == pytest.approx(float(np.mean(stem == 0)))
    assert found["bytes"] == shipped_model_path.stat().st_size
    assert found["metadata"]["labels"] == list(EXPRESSIONS)


def test_a_float_model_is_told_as_one(tiny_fp32: Path) -> None:
    found = inspected(tiny_fp32)
    assert (found["ends"], found["integer"], found["metadata"]["recipe"]) == ("float32", False, "fp32")
    assert all(layer["scale"] is None and layer["weight_scales"] == 0 for layer in found["layers"])


def test_the_table_has_a_row_a_layer(tiny_int8: Path) -> None:
    result = inspect(tiny_int8)
    assert result.exit_code == 0, result.output
    facts, layers = result.stdout.split("\n\n")
    told = dict(line.split("  ", 1) for line in facts.splitlines())
    assert told["recipe"].strip() == "int8"
    assert told["labels"].strip() == ", ".join(EXPRESSIONS)
    assert told["face"].strip().startswith("32 x 32 rgb, pixel * 0.00784314 + -1")
    assert len(layers.splitlines()) - 2 == len(inspected(tiny_int8)["layers"])


def test_the_model_of_another_is_shown_too(shared_data: Callable[[str], Path]) -> None:
    foreign = shared_data("weights/coral_tf2_mobilenet_v2_1.0_224_ptq.tflite")
    found = inspected(foreign)
    assert found["metadata"] is None
    assert "it was not written by fer-convert" in found["why_not"]
    assert (found["ends"], found["integer"]) == ("uint8", True)
    assert [layer["operator"] for layer in found["layers"]][:2] == ["QUANTIZE", "CONV_2D"]
    assert "was not written by fer-convert" in inspect(foreign).stdout


@pytest.mark.parametrize("damage", ["absent", "a folder", "empty", "text", "cut off"])
def test_what_is_no_model_is_told(
    damage: str, tiny_fp32: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    path = tmp_path / "model.tflite"
    if damage == "a folder":
        path.mkdir()
    elif damage != "absent":
        content = {"empty": b"", "text": b"not a model", "cut off": tiny_fp32.read_bytes()[:1_000]}[damage]
        path.write_bytes(content)
    result = inspect(path)
    assert result.exit_code == 1
    assert str(path) in the_error(result)


def test_a_run_can_be_named_with_or_without_the_command(
    plain_run: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    for arguments in ([str(plain_run)], ["convert", str(plain_run)]):
        done = CliRunner().invoke(main, [*arguments, "--fp32", "--force", "--out", str(tmp_path)])
        assert done.exit_code == 0, done.output
    assert the_error(CliRunner().invoke(main, ["convrt"])).startswith("convrt is not a run folder")
