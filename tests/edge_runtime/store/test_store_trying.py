"""Models that nobody should trust: what they do happens in another process and ends in one line."""

from __future__ import annotations

import io
import math
import os
import random
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_edge.errors import FerError, ModelError
from fer_edge.metadata import ModelMetadata, sha256
from fer_edge.store import structure
from fer_edge.store.flatbuffer import Table
from fer_edge.store.trying import try_model

Make = Callable[..., Path]

_ADD = 2  # position of the operator's kind in the shipped model


def graph_of(content: bytes) -> Table:
    return next(iter(Table.root(memoryview(content)).tables(2, 10)))


def put(content: bytes, table: Table, field: int, index: int, number: int) -> bytes:
    """Give a model in which an element of a list of numbers is another one."""
    at, count = table._vector(field, 4, 1000)
    assert index < count
    changed = bytearray(content)
    struct.pack_into("<i", changed, at + 4 * index, number)
    return bytes(changed)


@pytest.fixture(scope="session")
def crashing(flatbuffer: bytes, make_model: Make) -> Path:
    """Give a model that ends the process which runs it: the output of an addition is a constant."""
    addition = next(table for table in graph_of(flatbuffer).tables(3, 1000) if table.number(0, "<I") == _ADD)
    path = make_model("crashing", put(flatbuffer, addition, 2, 0, 2))
    code = (
        "import sys; from pathlib import Path; from fer_edge.classifier import Classifier\n"
        "from fer_edge.self_test import face\n"
        "Classifier.load(Path(sys.argv[1]), threads=1).probabilities(face(1, 96, 96))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, timeout=60, check=False)
    if done.returncode >= 0:
        pytest.skip("this interpreter does not crash on the model")
    return path


def test_a_model_that_works(first: Path) -> None:
    report = try_model(first, threads=1, timed=True)
    assert report.verdict.ok
    assert report.metadata == ModelMetadata.of(first)
    assert (report.sha256, report.bytes) == (sha256(first.read_bytes()).hexdigest(), first.stat().st_size)
    assert report.median_ms is not None
    assert report.p90_ms is not None
    assert 0 < report.median_ms <= report.p90_ms
    assert try_model(first, threads=2).median_ms is None


def test_a_model_that_crashes_the_interpreter(crashing: Path) -> None:
    with pytest.raises(ModelError) as caught:
        try_model(crashing)
    assert str(caught.value).startswith(f"{crashing}: the interpreter crashed with SIG")


def test_a_model_that_takes_too_long(first: Path) -> None:
    with pytest.raises(ModelError, match=r"first\.tflite: it was tried for 0\.05 s without an answer"):
        try_model(first, patience_s=0.05)


def test_nobody_waits_for_a_process_that_nobody_waits_for(first: Path) -> None:
    # Its parent may have been killed.
    code = (
        "import sys, time; from fer_edge.store import __main__ as child\n"
        "child._report = lambda path, task: time.sleep(60)\n"
        "child.main()\n"
    )
    task = '{"threads": 1, "runtime": null, "timed": false, "patience_s": -4}'
    done = subprocess.run([sys.executable, "-c", code, str(first), task], capture_output=True, timeout=60, check=False)
    assert done.returncode == -14


def test_memory_is_bounded(first: Path) -> None:
    code = (
        "import sys; from fer_edge.store import __main__ as child\n"
        "child._limit_memory(1_000_000, 1)\n"
        "held = bytearray(200_000_000)\n"
        "child._report = lambda path, task: bytearray(2_000_000_000)\n"
        "child.main()\n"
    )
    task = '{"threads": 1, "runtime": null, "timed": false, "patience_s": 50}'
    done = subprocess.run([sys.executable, "-c", code, str(first), task], capture_output=True, timeout=60, check=False)
    assert b"trying it took too much memory" in done.stdout
    assert done.returncode == 0


def test_root_gives_its_rights_up(first: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    code = (
        "import os, sys; from fer_edge.store import __main__ as child\n"
        "sys.path[:] = ['/usr']\n"
        "child._give_up_rights()\n"
        "print(os.getresuid(), os.getresgid(), os.getgroups())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    nobody = (65534,) * 3
    assert done.stdout.strip() == f"{nobody} {nobody} []"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/nowhere/x.tflite", "cannot read model /nowhere/x.tflite: No such file or directory"),
        ("/", "cannot read model /: Is a directory"),
        ("/dev/zero", "cannot read model /dev/zero: it is no file"),
    ],
)
def test_what_is_no_file(path: str, told: str) -> None:
    with pytest.raises(FerError) as caught:
        try_model(Path(path))
    assert str(caught.value) == told


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.tflite"
    with path.open("wb") as file:
        file.truncate(structure.LARGEST_FILE + 1)
    with pytest.raises(ModelError, match="it has 268,435,457 bytes, at most 268,435,456 are read"):
        try_model(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe.tflite"
    os.mkfifo(path)
    with pytest.raises(ModelError, match="it is no file"):
        try_model(path)


def test_a_description_that_grows_when_it_is_unpacked(flatbuffer: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bomb.tflite"
    content = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(content, "a", zipfile.ZIP_DEFLATED) as members:
        members.writestr("metadata.json", bytes(64 << 20))
    path.write_bytes(content.getvalue())
    with pytest.raises(ModelError, match=r"metadata\.json is 67108864 bytes, more than any of ours"):
        try_model(path)


@pytest.fixture(scope="session")
def with_rows(flatbuffer: bytes) -> Callable[[int], bytes]:
    """Give a function from a number of rows to a model whose input has them."""
    graph = graph_of(flatbuffer)
    tensor = list(graph.tables(0, 10_000))[graph.numbers(1, 10)[0]]
    return lambda rows: put(flatbuffer, tensor, 0, 1, rows)


def test_activations_that_no_device_holds(with_rows: Callable[[int], bytes], make_model: Make) -> None:
    model = make_model("wide", with_rows(2**30))
    with pytest.raises(
        ModelError, match=r"wide\.tflite: it has a tensor of [\d,]+ MB: no model for a small device has"
    ):
        try_model(model)
    with pytest.raises(ModelError, match=r"^its structure is damaged: a tensor of the shape \(1, -5, "):
        structure.check(with_rows(-5))


def test_activations_that_no_device_holds_together(flatbuffer: bytes, with_rows: Callable[[int], bytes]) -> None:
    graph = graph_of(flatbuffer)
    tensor = list(graph.tables(0, 10_000))[graph.numbers(1, 10)[0]]
    _, _, *sides = tensor.numbers(0, 8)
    row = math.prod(sides) * structure._BYTES[tensor.number(1, "<b")]
    structure.check(with_rows((200 << 20) // row))
    with pytest.raises(ModelError, match=r"^it needs \d+ MB for its activations: no model for a small device does$"):
        structure.check(with_rows((256 << 20) // row))


def test_the_structure_of_the_shipped_model_is_sound(model_path: Path) -> None:
    structure.check(model_path.read_bytes())


def test_damaged_structures_end_in_a_model_error(flatbuffer: bytes) -> None:
    chance, graph, refused = random.Random(1), graph_of(flatbuffer), 0
    tables = [graph, *graph.tables(0, 10_000), *graph.tables(3, 10_000)]
    for table in chance.sample(tables, 100):
        place = table._at + chance.randrange(-8, 24)
        content = bytearray(flatbuffer)
        content[place : place + 4] = chance.randbytes(4)
        try:
            structure.check(bytes(content))
        except ModelError as error:
            assert "\n" not in str(error)  # noqa: PT017
            refused += 1
    assert refused > 40
    for length in (0, 1, 3, 8, 40, 100, 10_000, len(flatbuffer) // 2, len(flatbuffer) - 100):
        with pytest.raises(ModelError, match="structure is damaged"):
            structure.check(flatbuffer[:length])


@pytest.mark.parametrize("content", [bytes(100), b"\xff" * 100, b"\x08\0\0\0TFL3\x04\0\0\0\x06\0\x08\0"])
def test_what_is_no_flatbuffer(content: bytes) -> None:
    with pytest.raises(ModelError, match="its structure is damaged"):
        structure.check(content)
