"""`fer-edge models`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from fer_edge.cli import main
from fer_edge.interpreter import RUNTIMES, find_runtime
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import attach, read_model
from fer_edge.models import shipped_models

FLATBUFFER = b"\x1c\0\0\0TFL3" + bytes(100)


def models(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["models", *map(str, arguments)])


def test_the_list_tells_what_ships() -> None:
    result = models("list")
    assert result.exit_code == 0, result.output
    header, _, *rows = result.stdout.splitlines()
    assert header.split() == ["name", "recipe", "bytes", "self-test", "accuracy", "labels"]
    assert len(rows) == len(shipped_models())
    for row, path in zip(rows, shipped_models(), strict=True):
        assert row.startswith(path.stem)
        assert f"{path.stat().st_size:,}" in row
        assert "8 faces" in row
        assert row.endswith(", ".join(EXPRESSIONS))


def test_the_list_as_json_has_all_that_the_files_say() -> None:
    told = json.loads(models("list", "--json").stdout)
    assert [one["file"] for one in told] == [str(path) for path in shipped_models()]
    assert [one["bytes"] for one in told] == [path.stat().st_size for path in shipped_models()]
    assert told[0]["metadata"]["labels"] == list(EXPRESSIONS)


def test_the_shipped_models_work_here() -> None:
    result = models("verify")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) == len(shipped_models())
    runtime, _ = find_runtime()
    for line, path in zip(lines, shipped_models(), strict=True):
        assert line.startswith(f"ok  {path}: {runtime.name} {runtime.version}, threads ")
        assert "; largest difference 0.0" in line


def test_threads_and_runtime_are_those_asked_for(model_path: Path) -> None:
    runtime, _ = find_runtime()
    result = models("verify", model_path, "--threads", "2", "--runtime", runtime.name)
    assert result.exit_code == 0, result.output
    assert f"{runtime.name} {runtime.version}, threads 2" in result.stdout


@pytest.fixture
def broken(shipped_model_path: Path, tmp_path: Path) -> Path:
    """Give the shipped model with a wrong scale in its description."""
    content, metadata = read_model(shipped_model_path)
    flatbuffer = content[: content.index(b"PK\3\4", len(content) - 20_000)]
    path = tmp_path / "broken.tflite"
    wrong = msgspec.structs.replace(metadata.input, scale=metadata.input.scale / 2)
    path.write_bytes(attach(flatbuffer, msgspec.structs.replace(metadata, input=wrong)))
    return path


def test_each_model_has_its_line_and_one_failure_decides(
    broken: Path, shipped_model_path: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    text, absent = tmp_path / "text.tflite", tmp_path / "absent.tflite"
    text.write_text("no model")
    result = models("verify", broken, shipped_model_path, text, absent)
    assert result.exit_code == 1
    first, second, third, fourth = result.stdout.splitlines()
    assert first.startswith(f"failed  {broken}: ")
    assert " where " in first
    assert first.endswith("is allowed") or "name another label" in first
    assert second.startswith(f"ok  {shipped_model_path}: ")
    assert third == f"failed  {text}: {text} is not a TFLite model (no TFL3 mark at byte 4)"
    assert fourth == f"failed  {absent}: cannot read model {absent}: No such file or directory"
    assert the_error(result).startswith("3 of 4 models failed: ")


def test_json_tells_the_same(broken: Path, shipped_model_path: Path, the_error: Callable[[Result], str]) -> None:
    result = models("verify", "--json", broken, shipped_model_path)
    assert result.exit_code == 1
    wrong, right = json.loads(result.stdout)
    assert (wrong["file"], wrong["ok"], wrong["tested"]) == (str(broken), False, True)
    assert wrong["portable"] > 0.15
    assert wrong["failures"]
    assert (right["file"], right["ok"], right["failures"]) == (str(shipped_model_path), True, [])
    assert right["default"] < 0.15
    assert the_error(result).startswith("1 of 2 models failed: ")


def test_a_model_that_is_damaged_or_too_new_fails(shipped_model_path: Path, tmp_path: Path) -> None:
    content, metadata = read_model(shipped_model_path)
    damaged, newer = tmp_path / "damaged.tflite", tmp_path / "newer.tflite"
    damaged.write_bytes(content[:50_000] + bytes([content[50_000] ^ 1]) + content[50_001:])
    newer.write_bytes(attach(FLATBUFFER, msgspec.structs.replace(metadata, minimum_runtime="9.0.0")))
    result = models("verify", damaged, newer)
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert "does not match its model.sha256; copy the file again" in first
    assert "the model needs TFLite 9.0.0 or newer, installed is " in second


def test_without_any_interpreter_that_is_told_once(
    monkeypatch: pytest.MonkeyPatch, the_error: Callable[[Result], str]
) -> None:
    for runtime in RUNTIMES:
        monkeypatch.setitem(sys.modules, runtime.module, None)
    result = models("verify")
    assert (result.exit_code, result.stdout) == (1, "")
    assert the_error(result).startswith("no TFLite interpreter can be imported")


def test_the_shipped_models_work_in_the_older_interpreter(repository: Path) -> None:
    other_python = os.environ.get("FER_TEST_TFLITE_PYTHON")
    if not other_python:
        pytest.skip("FER_TEST_TFLITE_PYTHON names no Python that has tflite_runtime")
    code = "from fer_edge.cli import main; main()"
    arguments: list[Any] = [other_python, "-c", code, "models", "verify", "--runtime", "tflite-runtime", "--json"]
    environment = os.environ | {"PYTHONPATH": str(repository / "edge_runtime")}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for told in json.loads(done.stdout):
        assert told["runtime"] == "tflite-runtime 2.14.0"
        assert told["tested"]
