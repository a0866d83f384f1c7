"""What a graph costs and where its time goes."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from fer_bench import cutting, operators, shortest
from fer_convert import converter, flatbuffer
from fer_convert.recipes import RECIPES, Recipe, Sparsity
from fer_edge import interpreter
from fer_edge.errors import FerError, ModelError
from fer_edge.metadata import InputSpec, read_model
from fer_train.cost import multiply_accumulates
from fer_train.keras_setup import keras, tf

# TensorFlow's converter wonders that the ends of the model stay float.
pytestmark = pytest.mark.filterwarnings("ignore:Statistics for quantized inputs were expected:UserWarning")

FLOAT = RECIPES[0]
BY_NAME = {recipe.name: recipe for recipe in (*RECIPES, FLOAT.pruned(Sparsity.parse("0.8")))}
CHOSEN = ("fp32", "fp16", "dynamic", "int8", "prune80-fp32")


@pytest.fixture(scope="module")
def forked() -> Any:
    """Give a network of 16 x 16 pixels with two branches, eight tenths of one kernel zero."""
    keras.utils.set_random_seed(1)
    source = keras.Input((16, 16, 1))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(source)
    left = keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="pruned")(x)
    right = keras.layers.DepthwiseConv2D(3, padding="same")(x)
    right = keras.layers.Conv2D(16, 1, activation="relu")(right)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([left, right]))
    model = keras.Model(source, keras.layers.Dense(7, activation="softmax")(x))
    kernel, bias = model.get_layer("pruned").get_weights()
    kernel[np.random.default_rng(1).random(kernel.shape) < 0.8] = 0
    model.get_layer("pruned").set_weights([kernel, bias])
    return model


@pytest.fixture(scope="module")
def converted(forked: Any, small_input: InputSpec, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Give that network by each recipe."""
    faces = np.random.default_rng(2).integers(0, 256, (4, 16, 16), np.uint8)
    log = tmp_path_factory.mktemp("forked") / "log"

    def convert(recipe: Recipe) -> bytes:
        return converter.convert(forked, recipe, faces, small_input, log=log)

    return {name: convert(BY_NAME[name]) for name in CHOSEN}


@pytest.mark.parametrize("name", CHOSEN)
def test_what_the_interpreter_tells_is_what_is_in_the_file(name: str, converted: dict[str, bytes]) -> None:
    read = flatbuffer.layers(converted[name])
    graph = interpreter.read_graph(converted[name])
    assert [node.name for node in graph.nodes] == [layer.operator for layer in read]
    assert [graph.tensors[node.outputs[0]].shape for node in graph.nodes] == [layer.output for layer in read]
    assert [graph.tensors[node.outputs[0]].dtype.name for node in graph.nodes] == [layer.type for layer in read]


@pytest.mark.parametrize("name", CHOSEN)
def test_the_arena_is_that_of_the_converters_report(name: str, converted: dict[str, bytes]) -> None:
    found = operators.graph_cost(converted[name])
    assert found.arena_bytes == flatbuffer.tensors(converted[name]).arena_bytes
    # The stem's output, both branches and no weight: 8, 16 and 16 channels when the second branch is done.
    size = 1 if name == "int8" else 4
    assert found.arena_bytes == size * 16 * 16 * (16 + 16 + 16)


def test_weights_that_are_unpacked_are_not_in_the_arena(converted: dict[str, bytes]) -> None:
    for name, operator in (("fp16", "DEQUANTIZE"), ("prune80-fp32", "DENSIFY")):
        graph = interpreter.read_graph(converted[name])
        unpacking = [node for node in graph.nodes if node.name == operator]
        assert unpacking
        assert not graph.fed.intersection(node.index for node in unpacking)
        assert graph.arena_bytes == interpreter.read_graph(converted["fp32"]).arena_bytes


@pytest.mark.parametrize("name", CHOSEN)
def test_multiply_accumulates_are_those_of_the_network(name: str, converted: dict[str, bytes], forked: Any) -> None:
    pixels = 16 * 16
    by_hand = [pixels * 8 * 9, pixels * 16 * 9 * 8, pixels * 8 * 9, pixels * 16 * 8, 7 * 16]
    graph = interpreter.read_graph(converted[name])
    counted = [graph.multiply_accumulates(node) for node in graph.nodes]
    assert sorted(filter(None, counted)) == sorted(by_hand)
    found = operators.graph_cost(converted[name]).multiply_accumulates
    assert found == sum(by_hand)
    # TensorFlow's profiler counts biases, activations and pooling as well.
    assert found == pytest.approx(multiply_accumulates(forked), rel=0.05)


def intermediate(model: bytes, index: int | None, values: Any) -> Any:
    """Run a model by the portable kernels, and give one of its tensors, or its outputs by their numbers."""
    portable = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    runs = Interpreter(
        model_content=model, experimental_op_resolver_type=portable, experimental_preserve_all_tensors=True
    )
    runs.allocate_tensors()
    runs.set_tensor(runs.get_input_details()[0]["index"], values)
    runs.invoke()
    if index is not None:
        return runs.get_tensor(index)
    return {int(one["index"]): runs.get_tensor(one["index"]) for one in runs.get_output_details()}


@pytest.mark.parametrize("name", CHOSEN)
def test_a_cut_computes_what_the_whole_does_up_to_there(name: str, converted: dict[str, bytes]) -> None:
    model = converted[name]
    graph = interpreter.read_graph(model)
    given = graph.tensors[graph.inputs[0]]
    values = np.random.default_rng(3).uniform(0, 100, given.shape).astype(given.dtype)
    ends = []
    for position in sorted(graph.fed):
        part = cutting.until(model, graph, position)
        outputs = intermediate(part, None, values)
        assert graph.nodes[position].outputs[0] in outputs
        for index, found in outputs.items():
            np.testing.assert_array_equal(found, intermediate(model, index, values))
        made = interpreter.read_graph(part)
        assert made.fed == {n for n, node in enumerate(made.nodes) if node.name not in ("DEQUANTIZE", "DENSIFY")}
        assert len(made.fed) == sum(one <= position for one in graph.fed)
        # Weights are unpacked for what is there alone.
        used = {index for node in made.nodes for index in node.inputs} | set(made.outputs)
        assert all(used.intersection(node.outputs) for node in made.nodes)
        ends.append(len(outputs))
    # While one branch waits for the other, both are given.
    assert (ends[0], max(ends), ends[-1]) == (1, 2, 1)
    assert interpreter.read_graph(part).nodes == graph.nodes


def test_the_shipped_model_can_be_cut_with_all_that_is_behind_it(model_path: Path) -> None:
    content, _ = read_model(model_path)
    graph = interpreter.read_graph(content)
    part = interpreter.read_graph(cutting.until(content, graph, 9))
    assert (part.nodes, part.outputs) == (graph.nodes[:10], graph.nodes[9].outputs)


def test_a_model_of_several_graphs_is_told() -> None:
    @tf.function(input_signature=[tf.TensorSpec([1], tf.float32)])  # type: ignore[untyped-decorator]
    def doubled(value: Any) -> Any:
        return tf.while_loop(lambda x: tf.reduce_sum(x) < 100, lambda x: (x * 2,), (value,))[0]

    with tf.device("cpu"):
        model = bytes(tf.lite.TFLiteConverter.from_concrete_functions([doubled.get_concrete_function()]).convert())
    with pytest.raises(ModelError) as caught:
        operators.profile(model, seconds=0.1)
    assert str(caught.value) == "the model has 3 graphs, ours have one"


class Clock:
    """Time that passes only where something is run."""

    def __init__(self, seed: int) -> None:
        self.now, self.noise, self.alive, self.most = 0, np.random.default_rng(seed), weakref.WeakSet[Any](), 0
        self.module = SimpleNamespace(monotonic=lambda: self.now / 1e9, perf_counter_ns=lambda: self.now)

    def wait(self, nanoseconds: int) -> None:
        self.now += nanoseconds

    def invoker(self, content: bytes, **_: Any) -> Callable[[], None]:
        """Give what stands for a loaded model: an operator takes 10 to 28 microseconds, disturbed or not."""
        nodes = interpreter.read_graph(content).nodes
        took = sum(10_000 + 100 * node.outputs[0] for node in nodes)

        def run() -> None:
            disturbed = 1 + 2 * self.noise.random() if self.noise.random() < 0.5 else 1
            self.wait(int(took * disturbed))

        self.now += 5_000_000
        self.alive.add(run)
        self.most = max(self.most, len(self.alive))
        return run


@pytest.mark.parametrize(("seconds", "bound"), [(20.0, 20.5), (3.0, 3.5), (0.0, 1.0)])
def test_operators_get_the_time_that_they_take(
    seconds: float, bound: float, model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, _ = read_model(model_path)
    graph, clock, steps = interpreter.read_graph(content), Clock(1), list[int]()
    monkeypatch.setattr(shortest, "time", clock.module)
    monkeypatch.setattr(interpreter, "invoker", clock.invoker)
    found = operators.profile(content, seconds=seconds, seed=1, step=steps.append)
    assert clock.now / 1e9 < bound
    if seconds:
        assert clock.now / 1e9 > 0.9 * seconds
        expected = [0.01 + 0.0001 * node.outputs[0] for node in graph.nodes]
        assert [one.ms for one in found.operators] == pytest.approx(expected, abs=1e-9)
        assert found.whole_ms == pytest.approx(sum(expected))
    assert sum(steps) == operators.STEPS
    assert min(steps) >= 0
    assert 3 <= clock.most <= 12


def test_large_models_are_loaded_by_few(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, _ = read_model(model_path)
    clock = Clock(1)
    monkeypatch.setattr(shortest, "time", clock.module)
    monkeypatch.setattr(interpreter, "invoker", clock.invoker)
    monkeypatch.setattr(operators, "_MEMORY", 5 * 3 * len(content))
    operators.profile(content, seconds=0.0)
    assert clock.most == 4
    monkeypatch.setattr(operators, "_MEMORY", len(content))
    clock.most = 0
    operators.profile(content, seconds=0.0)
    assert clock.most == 3


@pytest.mark.parametrize(("name", "refused"), [("prune80-fp32", True), ("fp32", False)])
def test_sparse_kernels_cannot_be_cut(
    name: str, refused: bool, converted: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def invoker(content: bytes, **_: Any) -> Callable[[], None]:
        names = [node.name for node in interpreter.read_graph(content).nodes]
        # Everything is twice as fast once the pooling is there.
        took = 1_000_000 * len(names) // (2 if "MEAN" in names else 1)
        return lambda: clock.wait(took)

    clock = Clock(1)
    monkeypatch.setattr(shortest, "time", clock.module)
    monkeypatch.setattr(interpreter, "invoker", invoker)
    if not refused:
        assert operators.profile(converted[name], seconds=1).delegated > 0
        return
    with pytest.raises(FerError) as caught:
        operators.profile(converted[name], seconds=1)
    assert str(caught.value) == (
        "XNNPACK runs the whole graph by its sparse kernels, and no part of it: nothing to time apart"
    )


def test_the_operators_of_a_profile(converted: dict[str, bytes]) -> None:
    for name, model in converted.items():
        graph = interpreter.read_graph(model)
        found = operators.profile(model, seconds=0.2)
        rows = [(one.index, one.name, one.shape, one.multiply_accumulates) for one in found.operators]
        assert rows == [
            (node.index, node.name, graph.tensors[node.outputs[0]].shape, graph.multiply_accumulates(node))
            for node in graph.nodes
        ]
        assert all(one.output for one in found.operators)
        assert {one.index for one in found.operators if one.delegated} == graph.delegated
        assert found.delegated == len(graph.delegated)
        if name == "fp32":
            assert found.delegated == len(found.operators)
        assert all(one.ms >= 0 for one in found.operators)
        # What is unpacked once takes nothing.
        assert all(one.ms == 0 for one in found.operators if one.name in ("DEQUANTIZE", "DENSIFY"))


def test_the_slow_operator_is_found_in_its_branch(tmp_path: Path, small_input: InputSpec) -> None:
    keras.utils.set_random_seed(1)
    source = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(16, 3, padding="same")(source)
    heavy = keras.layers.Conv2D(32, 9, padding="same")(x)
    light = keras.layers.Conv2D(32, 1)(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Add()([heavy, light]))
    model = keras.Model(source, keras.layers.Dense(7, activation="softmax")(x))
    spec = msgspec.structs.replace(small_input, height=32, width=32)
    faces = np.zeros((1, 32, 32), np.uint8)
    found = operators.profile(converter.convert(model, FLOAT, faces, spec, log=tmp_path / "log"), seconds=1.5)
    total = sum(one.ms for one in found.operators)
    # Parts and whole are timed apart; a busy machine moves both.
    assert 0.5 < total / found.whole_ms < 2
    slow = max(found.operators, key=lambda one: one.ms)
    # It does 98 % of the work.
    assert slow.multiply_accumulates == 32 * 32 * 32 * 81 * 16
    assert slow.ms > 0.5 * total


def test_the_older_interpreter_cuts_and_tells_as_well(
    converted: dict[str, bytes], repository: Path, tmp_path: Path
) -> None:
    other_python = os.environ.get("FER_TEST_TFLITE_PYTHON")
    if not other_python:
        pytest.skip("FER_TEST_TFLITE_PYTHON names no Python that has tflite_runtime")
    folders = (repository / name for name in ("edge_runtime", "benchmarks", "train"))
    code = """
import sys, msgspec
from pathlib import Path
from fer_bench import operators
for path in sys.argv[1:]:
    content = Path(path).read_bytes()
    cost, found = operators.graph_cost(content), operators.profile(content, seconds=1)
    told = [cost.multiply_accumulates, cost.arena_bytes, len(found.operators), found.delegated, found.whole_ms]
    print(msgspec.json.encode(told).decode())
"""
    for name in ("int8", "fp32"):
        (tmp_path / name).write_bytes(converted[name])
    done = subprocess.run(
        [other_python, "-c", code, str(tmp_path / "int8"), str(tmp_path / "fp32")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, line in zip(("int8", "fp32"), done.stdout.splitlines(), strict=True):
        cost, graph = operators.graph_cost(converted[name]), interpreter.read_graph(converted[name])
        *same, delegated, whole = msgspec.json.decode(line)
        assert same == [cost.multiply_accumulates, cost.arena_bytes, len(graph.nodes)]
        assert whole > 0
        # Its build for x86-64 keeps XNNPACK's integer kernels out.
        assert delegated in ((0, len(graph.delegated)) if name == "int8" else (len(graph.delegated),))


def test_it_needs_no_tensorflow_and_no_schema(model_path: Path) -> None:
    blocked = ("tensorflow", "tf_keras", "keras", "flatbuffers", "ai_edge_litert.schema_py_generated")
    code = f"""
import sys
from pathlib import Path
for name in {blocked}: sys.modules[name] = None
from fer_bench import operators
print(operators.profile(Path(sys.argv[1]).read_bytes(), seconds=0.1).delegated)
"""
    command = [sys.executable, "-c", code, str(model_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    graph = interpreter.read_graph(read_model(model_path)[0])
    assert int(done.stdout) == len(graph.delegated) > 0
