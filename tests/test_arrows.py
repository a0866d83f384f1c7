"""Imports point one way: `fer_edge` knows nobody, `fer_train` and `fer_bench` know it, `fer_convert` knows both."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDERS = {
    "fer_edge": "edge_runtime",
    "fer_train": "train",
    "fer_convert": "convert",
    "fer_bench": "benchmarks",
}
OURS = frozenset(FOLDERS)
TENSORFLOW = frozenset({"tensorflow", "keras", "tf_keras", "tensorflow_model_optimization"})
REPOSITORY = Path(__file__).resolve().parents[1]


def modules(package: str) -> dict[str, Path]:
    """Give all modules of a package, dotted name to file."""
    root = REPOSITORY / FOLDERS[package]
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted((root / package).rglob("*.py"))
    }


MODULES = {name: path for package in FOLDERS for name, path in modules(package).items()}


def imports(path: Path) -> Iterator[str]:
    """Give the dotted name of everything that a module imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by a relative name"
            assert node.module is not None
            # `from fer_train import datasets` imports the module fer_train.datasets.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported(name: str) -> set[str]:
    return set(imports(MODULES[name]))


def root(name: str) -> str:
    return name.partition(".")[0]


def within(name: str, *prefixes: str) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def test_the_reading_of_imports_reads_them() -> None:
    assert "fer_edge.preprocessing" in imported("fer_edge.classifier")
    # Inside a function too.
    assert "fer_train.searching" in imported("fer_train.commands.fitting")
    assert {root(name) for name in MODULES} == OURS


@pytest.mark.parametrize(
    ("package", "may"),
    [
        ("fer_edge", {"fer_edge"}),
        ("fer_train", {"fer_train", "fer_edge"}),
        ("fer_convert", {"fer_convert", "fer_train", "fer_edge"}),
        ("fer_bench", {"fer_bench", "fer_train", "fer_edge"}),
    ],
)
def test_who_knows_whom(package: str, may: set[str]) -> None:
    wrong = {name: sorted(other for other in imported(name) if root(other) in OURS - may) for name in modules(package)}
    assert {name: others for name, others in wrong.items() if others} == {}


def test_only_one_door_leads_to_tensorflow() -> None:
    doors = {
        name: sorted(other for other in imported(name) if root(other) in TENSORFLOW)
        for name in MODULES
        if name != "fer_train.keras_setup"
    }
    # TensorFlow's own tools for graphs and flatbuffers are no part of Keras, and TFMOT is for conversion; all are
    # imported behind the door. Keras 3 reads its own files, in a process of its own.
    behind = {
        "fer_convert.compacting": "tensorflow.lite.python",
        "fer_convert.flatbuffer": "tensorflow.lite.python",
        "fer_convert.keras_3": "keras",
        "fer_convert.pruning": "tensorflow_model_optimization",
        "fer_convert.qat": "tensorflow_model_optimization",
        "fer_train.cost": "tensorflow.python.framework.convert_to_constants",
    }
    doors = {
        name: [other for other in others if name not in behind or not within(other, behind[name])]
        for name, others in doors.items()
    }
    assert {name: others for name, others in doors.items() if others} == {}


def test_the_device_and_the_benchmark_import_no_tensorflow_at_all() -> None:
    for package in ("fer_edge", "fer_bench"):
        for name in modules(package):
            assert not [other for other in imported(name) if root(other) in TENSORFLOW], name


def test_the_benchmark_knows_only_the_readers_of_data_and_the_page() -> None:
    for name in modules("fer_bench"):
        others = {other for other in imported(name) if root(other) == "fer_train"}
        wrong = [other for other in others if not within(other, "fer_train.datasets", "fer_train.judging.page")]
        assert not wrong, name


def reachable(start: str) -> set[str]:
    """Give all of our modules that importing one brings in, with the packages that they lie in."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in MODULES or name in seen:
            # What is imported may be a name within a module.
            parent = name.rpartition(".")[0]
            if name not in MODULES and parent in MODULES and parent not in seen:
                waiting.append(parent)
            continue
        seen.add(name)
        waiting += [*imported(name), name.rpartition(".")[0]]
    return seen


@pytest.mark.parametrize(
    "start", [name for name in MODULES if within(name, "fer_train.datasets", "fer_bench", "fer_edge")]
)
def test_tensorflow_cannot_be_reached(start: str) -> None:
    found = reachable(start)
    assert start in found
    assert "fer_train.keras_setup" not in found
    assert not [other for name in found for other in imported(name) if root(other) in TENSORFLOW]


def test_tensorflow_can_be_reached_where_it_is_needed() -> None:
    assert "fer_train.keras_setup" in reachable("fer_train.fitting")
    assert "fer_train.keras_setup" in reachable("fer_convert.converting")


def test_one_module_imports_interpreters() -> None:
    # By name, at run time: so no import statement shows them.
    names = ("ai_edge_litert", "tflite_runtime", "tensorflow.lite.python.interpreter")
    mention = sorted(
        name for name in modules("fer_edge") if any(f'"{other}' in MODULES[name].read_text() for other in names)
    )
    assert mention == ["fer_edge.runtimes"]
    assert not [
        name for name in MODULES for other in imported(name) if root(other) in ("ai_edge_litert", "tflite_runtime")
    ]
