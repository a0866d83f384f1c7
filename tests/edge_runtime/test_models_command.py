"""`fer-edge models`."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from fer_edge.cli import main
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import attach, read_model
from fer_edge.models import shipped_models
from fer_edge.runtimes import RUNTIMES, find_runtime
from fer_edge.store import Store
from fer_edge.store.flatbuffer import Table


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty store, so that what is installed on this machine plays no part."""
    folder = tmp_path / "store"
    folder.mkdir()
    monkeypatch.setenv("FER_EDGE_MODEL_STORE", str(folder))
    return folder


def flatbuffer_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as members:
        return path.read_bytes()[: min(member.header_offset for member in members.infolist())]


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
    _, metadata = read_model(shipped_model_path)
    flatbuffer = flatbuffer_of(shipped_model_path)
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
    newer.write_bytes(
        attach(flatbuffer_of(shipped_model_path), msgspec.structs.replace(metadata, minimum_runtime="9.0.0"))
    )
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


@pytest.fixture
def other(shipped_model_path: Path, tmp_path: Path) -> Path:
    """Give the shipped model under another name of its own."""
    _, metadata = read_model(shipped_model_path)
    path = tmp_path / "other.tflite"
    path.write_bytes(attach(flatbuffer_of(shipped_model_path), msgspec.structs.replace(metadata, name="other")))
    return path


def rows() -> list[list[str]]:
    """Give name and state of the installed models, as the list tells them."""
    result = models("list")
    assert result.exit_code == 0, result.output
    _, _, table = result.stdout.partition("installed in ")
    return [re.split(r"  +", line)[:2] for line in table.splitlines()[3:]]


def test_install_list_and_roll_back(
    model_path: Path, other: Path, store: Path, the_error: Callable[[Result], str]
) -> None:
    assert rows() == []
    result = models("install", model_path)
    assert result.exit_code == 0, result.output
    runtime, _ = find_runtime()
    name = read_model(model_path)[1].name
    assert result.stdout.startswith(f"installed: {name} as {store}/{name}.")
    assert f" ms) by {runtime.name} {runtime.version}, threads " in result.stdout
    assert rows() == [[name, "current, has not proved itself yet"]]
    assert models("install", model_path).stdout.startswith(f"no change, installed already: {name} as ")
    trial = Store(store).begin()
    assert trial is not None
    trial.proved()
    assert rows() == [[name, "current, has proved itself"]]
    assert models("install", other, "--threads", 1, "--budget", 60_000).exit_code == 0
    assert rows() == [[name, "last good"], ["other", "current, has not proved itself yet"]]
    told = json.loads(models("list", "--json").stdout)
    assert [one["installed"] and one["installed"]["state"] for one in told] == [
        *[None for _ in shipped_models()],
        "last good",
        "current, has not proved itself yet",
    ]
    assert told[-1]["metadata"]["name"] == "other"
    assert Path(told[-1]["file"]).read_bytes() == other.read_bytes()
    result = models("rollback")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("the model other is in use no more (rolled back by hand); the last good one is: ")
    assert rows() == [[name, "current, has proved itself"], ["other", "bad: rolled back by hand"]]
    assert models("rollback").exit_code == 0
    assert "none of them is in use, but the shipped one" in models("list").stdout
    assert "there is nothing to roll back" in the_error(models("rollback"))


def test_installed_models_are_verified_as_well(
    other: Path, store: Path, shipped_model_path: Path, the_error: Callable[[Result], str]
) -> None:
    assert models("install", other).exit_code == 0
    result = models("verify")
    assert result.exit_code == 0, result.output
    (file,) = store.glob("*.tflite")
    assert result.stdout.splitlines()[-1].startswith(f"ok  {file}: ")
    assert len(models("verify", shipped_model_path).stdout.splitlines()) == 1
    os.truncate(file, 1000)
    result = models("verify")
    told = f"failed  {file}: its file {file.name} is not the one that was installed"
    assert result.stdout.splitlines()[-1] == told
    assert the_error(result).startswith(f"1 of {len(shipped_models()) + 1} models failed: ")
    assert rows() == [["other", "current, has not proved itself yet, file damaged"]]


def test_a_damaged_list_is_told(other: Path, store: Path) -> None:
    (store / "models.json").write_text("{")
    result = models("list")
    assert result.exit_code == 0
    assert result.stderr.startswith(f"warning: {store}/models.json is damaged (")
    assert models("install", other).exit_code == 0
    assert rows() == [["other", "current, has not proved itself yet"]]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["install", "absent.tflite"], 1, "cannot read model absent.tflite: No such file or directory"),
        (["install", "--budget", "0.000001"], 1, "; the budget is 1e-06 ms"),
        (["install", "--budget", "0"], 2, "0.0 is not in the range x>0"),
        (["install", "--budget", "nan"], 2, "is not a number"),
        (["install"], 2, "Missing argument 'FILE|NAME'"),
        (["list", "--store", "/nowhere"], 2, "there is no model store /nowhere"),
        (["verify", "--store", "/nowhere"], 2, "there is no model store /nowhere"),
        (["rollback", "--store", "/nowhere"], 1, "cannot change the model store /nowhere: No such file or directory"),
    ],
)
def test_mistakes(
    arguments: list[str], code: int, told: str, model_path: Path, the_error: Callable[[Result], str], store: Path
) -> None:
    given = [*arguments, model_path] if "--budget" in arguments else arguments
    result = models(*given)
    assert told in the_error(result)
    assert result.exit_code == code
    assert list(store.iterdir()) == []


def test_a_model_that_crashes_the_interpreter_ends_in_a_line(
    store: Path, shipped_model_path: Path, tmp_path: Path, fer_edge: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    content = flatbuffer_of(shipped_model_path)
    graph = next(iter(Table.root(memoryview(content)).tables(2, 1)))
    # The output of the first addition is a constant.
    addition = next(table for table in graph.tables(3, 1000) if table.number(0, "<I") == 2)
    at, _ = addition._vector(2, 4, 1)
    path = tmp_path / "crashing.tflite"
    changed = content[:at] + struct.pack("<i", 2) + content[at + 4 :]
    path.write_bytes(attach(changed, read_model(shipped_model_path)[1]))
    done = fer_edge("models", "install", path)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    # An interpreter may also notice.
    assert re.match(rf"error: {path}: (the interpreter crashed with SIG|.*cannot load the model)", line)
    assert list(store.iterdir()) == []
    done = fer_edge("models", "verify", path)
    assert done.returncode == 1
    assert done.stdout.startswith(f"failed  {path}: ")


@pytest.mark.parametrize(
    "command",
    [
        ["models", "list"],
        ["models", "list", "--json"],
        ["models", "verify"],
        ["config", "show"],
        ["config", "show", "--json"],
        ["config", "schema"],
        ["config", "init"],
        ["config", "keys"],
        ["config", "check"],
    ],
    ids=" ".join,
)
def test_a_full_disk_is_told_in_one_line(command: list[str]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fer_edge", *command],
            env={name: value for name, value in os.environ.items() if not name.startswith("FER_EDGE_")},
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "error: cannot write the output: No space left on device\n")
