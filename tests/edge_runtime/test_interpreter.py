from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fer_edge.errors import FerError, ModelError, UsageError
from fer_edge.interpreter import Interpreter, Tensor, default_threads, invoker, read_graph
from fer_edge.metadata import read_model
from fer_edge.runtimes import RUNTIMES, find_runtime


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 2), (4, 3), (5, 4), (6, 4), (64, 4)])
def test_threads_leave_a_core_for_the_camera(monkeypatch: pytest.MonkeyPatch, cores: int, threads: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(cores)))
    assert default_threads() == threads


def test_there_is_at_least_one_thread_here() -> None:
    assert 1 <= default_threads() <= 4


def test_an_unknown_runtime() -> None:
    with pytest.raises(UsageError) as caught:
        find_runtime("onnx")
    assert str(caught.value) == "no runtime is called 'onnx'; there are litert, tflite-runtime, tensorflow"


def test_no_runtime_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    for runtime in RUNTIMES:
        monkeypatch.setitem(sys.modules, runtime.module, None)
    with pytest.raises(FerError) as caught:
        find_runtime()
    told = str(caught.value)
    assert told.startswith("no TFLite interpreter can be imported (litert: ")
    assert "; tflite-runtime: " in told
    assert "; tensorflow: " in told
    assert told.endswith("): install one, such as 'pip install ai-edge-litert'")


def test_a_runtime_that_is_asked_for_and_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", None)
    with pytest.raises(FerError) as caught:
        find_runtime("tflite-runtime")
    assert str(caught.value).endswith("): install one, such as 'pip install tflite-runtime'")
    assert "litert:" not in str(caught.value)


KERNELS = SimpleNamespace(AUTO="auto", BUILTIN_WITHOUT_DEFAULT_DELEGATES="builtin")


def stand_in(inputs: int = 1, outputs: int = 1) -> ModuleType:
    """Make a module with an interpreter that gives details and nothing else."""

    class Fake:
        def __init__(self, **_: Any) -> None: ...

        def allocate_tensors(self) -> None: ...

        def invoke(self) -> None: ...

        def get_input_details(self) -> list[dict[str, Any]]:
            return [_detail(number) for number in range(inputs)]

        def get_output_details(self) -> list[dict[str, Any]]:
            return [_detail(number) for number in range(outputs)]

    module = ModuleType("stand_in")
    module.Interpreter = Fake  # type: ignore[attr-defined]
    module.OpResolverType = KERNELS  # type: ignore[attr-defined]
    return module


@pytest.fixture
def calls_itself(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str | None], None]:
    """Give a function that puts a package in the place of a runtime's, with a version of its own or None."""

    def stand_in_for(name: str, version: str | None) -> None:
        (runtime,) = (one for one in RUNTIMES if one.name == name)
        package = ModuleType(runtime.module.partition(".")[0])
        if version is not None:
            package.__version__ = version  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, package.__name__, package)

    return stand_in_for


def _detail(index: int) -> dict[str, Any]:
    return {"index": index, "shape": np.array([1, 2], np.int32), "dtype": np.int8, "quantization": (0.5, 3)}


def test_runtimes_are_tried_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    second = stand_in()
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", second)
    assert find_runtime() == (RUNTIMES[1], second)
    first = stand_in()
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", first)
    assert find_runtime() == (RUNTIMES[0], first)
    assert find_runtime("tflite-runtime") == (RUNTIMES[1], second)


def test_what_the_adapter_says_of_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", stand_in())
    interpreter = Interpreter(b"model", threads=3)
    expected = Tensor(index=0, shape=(1, 2), dtype=np.dtype(np.int8), scale=0.5, zero_point=3)
    assert (interpreter.runtime, interpreter.threads) == (RUNTIMES[0], 3)
    assert (interpreter.input, interpreter.output) == (expected, expected)


@pytest.mark.parametrize(("portable", "kernels"), [(False, "auto"), (True, "builtin")])
def test_what_a_runtime_is_asked_for(monkeypatch: pytest.MonkeyPatch, portable: bool, kernels: str) -> None:
    asked: list[dict[str, Any]] = []
    module = stand_in()
    monkeypatch.setattr(module.Interpreter, "__init__", lambda _self, **settings: asked.append(settings))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)
    Interpreter(b"model", threads=3, portable=portable)
    assert asked == [{"model_content": b"model", "num_threads": 3, "experimental_op_resolver_type": kernels}]


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [(2, 1, "the model has 2 inputs, ours have one"), (1, 0, "the model has 0 outputs, ours have one")],
)
def test_models_with_other_ends(monkeypatch: pytest.MonkeyPatch, inputs: int, outputs: int, message: str) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", stand_in(inputs, outputs))
    with pytest.raises(ModelError) as caught:
        Interpreter(b"model")
    assert str(caught.value) == message


@pytest.mark.parametrize("damage", ["cut", "zeros", "no identifier", "empty"])
def test_a_model_that_the_interpreter_refuses(model_path: Path, damage: str) -> None:
    runtime, _ = find_runtime()
    if damage == "cut" and runtime.name == "tflite-runtime":
        pytest.skip("tflite_runtime does not verify flatbuffers: what is cut off crashes it")
    model, _ = read_model(model_path)
    content = {
        "cut": model[: len(model) // 2],
        "zeros": model[:8] + bytes(1000),
        "no identifier": model[:4] + b"ABCD" + model[8:],
        "empty": b"",
    }[damage]
    with pytest.raises(ModelError) as caught:
        Interpreter(content)
    told = str(caught.value)
    assert told.startswith(f"{runtime.name} {runtime.version} cannot load the model: ")
    assert "\n" not in told


def test_a_real_model_gives_the_same_answer_twice(model_path: Path) -> None:
    model, metadata = read_model(model_path)
    interpreter = Interpreter(model, threads=1)
    spec = metadata.input
    stored: npt.NDArray[Any] = np.zeros((1, spec.height, spec.width, spec.channels), interpreter.input.dtype)
    first = interpreter.run(stored)
    kept = first.copy()
    assert (first.shape, first.dtype) == ((1, len(metadata.labels)), interpreter.output.dtype)
    interpreter.run(stored + 100)
    # A copy: the next run does not change what the last one gave.
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(interpreter.run(stored), kept)


def test_native_output_is_hidden_only_while_a_model_loads(model_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Interpreter(read_model(model_path)[0])
    os.write(2, b"still here\n")
    assert capfd.readouterr().err == "still here\n"


def test_a_package_for_another_numpy(
    monkeypatch: pytest.MonkeyPatch, calls_itself: Callable[[str, str | None], None]
) -> None:
    def make(**_: Any) -> None:
        raise SystemError("initialization of _pywrap failed")

    monkeypatch.setitem(
        sys.modules, "ai_edge_litert.interpreter", SimpleNamespace(Interpreter=make, OpResolverType=KERNELS)
    )
    calls_itself("litert", "9.9")
    with pytest.raises(FerError) as caught:
        Interpreter(b"model")
    assert str(caught.value) == f"litert 9.9 does not work with NumPy {np.__version__}: tflite-runtime needs 'numpy<2'"


@pytest.mark.parametrize(
    ("runtime", "version", "told"),
    [
        ("litert", "1.4.0", "litert 1.4.0, which has the operators of TFLite 2.19.0"),
        ("tflite-runtime", "2.14.0", "tflite-runtime 2.14.0"),
        ("tensorflow", "2.19.1", "tensorflow 2.19.1"),
    ],
)
def test_an_interpreter_that_is_too_old_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
    calls_itself: Callable[[str, str | None], None],
    runtime: str,
    version: str,
    told: str,
) -> None:
    (chosen,) = (one for one in RUNTIMES if one.name == runtime)
    module = stand_in()
    made: list[int] = []
    monkeypatch.setattr(module.Interpreter, "__init__", lambda _self, **_: made.append(1))
    monkeypatch.setitem(sys.modules, chosen.module, module)
    calls_itself(runtime, version)
    with pytest.raises(ModelError) as caught:
        Interpreter(b"model", runtime=runtime, minimum="2.20.0")
    assert str(caught.value) == (
        f"the model needs TFLite 2.20.0 or newer, installed is {told}: "
        "upgrade with 'pip install -U ai-edge-litert', or convert the run by another recipe"
    )
    assert not made


@pytest.mark.parametrize(("version", "minimum"), [("2.3.0", "2.20.0"), ("2.3.0", "2.21.0"), ("1.4.0", "2.19.0")])
def test_litert_is_as_new_as_the_tensorflow_in_it(
    monkeypatch: pytest.MonkeyPatch, calls_itself: Callable[[str, str | None], None], version: str, minimum: str
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", stand_in())
    calls_itself("litert", version)
    assert Interpreter(b"model", minimum=minimum).runtime.name == "litert"


@pytest.fixture
def pip_knows(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give a function that makes distributions the only ones that are installed."""

    def installed(**versions: str) -> None:
        def version(name: str) -> str:
            try:
                return versions[name.replace("-", "_")]
            except KeyError:
                raise PackageNotFoundError(name) from None

        monkeypatch.setattr("importlib.metadata.version", version)

    return installed


@pytest.mark.parametrize(
    ("installed", "itself", "version", "release"),
    [
        ({"tensorflow": "2.21.0"}, "2.21.0", "2.21.0", "2.21.0"),
        ({"tensorflow_cpu": "2.19.1"}, "2.19.1", "2.19.1", "2.19.1"),
        # Installed over another, whose entry stays.
        ({"tensorflow": "2.15.0", "tensorflow_intel": "2.18.0"}, "2.18.0", "2.18.0", "2.18.0"),
        ({"tf_nightly": "2.22.0.dev20260101"}, "2.22.0-dev20260101", "2.22.0-dev20260101", "2.21.0"),
        # Not loaded yet, or one that does not say.
        ({"tensorflow": "2.21.0"}, None, "2.21.0", "2.21.0"),
        ({}, None, "of unknown version", None),
    ],
)
def test_tensorflow_under_its_names(
    pip_knows: Callable[..., None],
    calls_itself: Callable[[str, str | None], None],
    installed: dict[str, str],
    itself: str | None,
    version: str,
    release: str | None,
) -> None:
    pip_knows(**installed)
    calls_itself("tensorflow", itself)
    assert (RUNTIMES[2].name, RUNTIMES[2].version, RUNTIMES[2].release) == ("tensorflow", version, release)


def test_a_package_of_unknown_version_is_given_a_chance(
    monkeypatch: pytest.MonkeyPatch, pip_knows: Callable[..., None], calls_itself: Callable[[str, str | None], None]
) -> None:
    module = stand_in()
    monkeypatch.setitem(sys.modules, "tensorflow.lite.python.interpreter", module)
    pip_knows()
    calls_itself("tensorflow", None)
    assert Interpreter(b"model", runtime="tensorflow", minimum="9.0.0").runtime.release is None

    def refuse(_self: object) -> None:
        raise ValueError("Didn't find op")

    monkeypatch.setattr(module.Interpreter, "allocate_tensors", refuse)
    with pytest.raises(ModelError) as caught:
        Interpreter(b"model", runtime="tensorflow", minimum="9.0.0")
    assert str(caught.value) == "tensorflow of unknown version cannot load the model: Didn't find op"


def test_the_graph_of_the_shipped_model(shipped_model_path: Path) -> None:
    graph = read_graph(read_model(shipped_model_path)[0])
    names = [node.name for node in graph.nodes]
    assert [names.count(name) for name in ("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "FULLY_CONNECTED")] == [35, 17, 10, 3]
    assert (len(names), names[0], names[-1]) == (67, "CONV_2D", "SOFTMAX")
    assert [node.index for node in graph.nodes] == list(range(67))
    (given,), (said,) = graph.inputs, graph.outputs
    assert (graph.nodes[0].inputs[0], graph.nodes[-1].outputs) == (given, (said,))
    assert (graph.tensors[given].shape, graph.tensors[said].shape) == ((1, 64, 64, 3), (1, 7))
    assert graph.tensors[given].dtype == np.int8
    # MobileNetV2 has 300 million at 224 x 224 without its last layer (Sandler et al. 2018, arXiv:1801.04381).
    counted = sum(map(graph.multiply_accumulates, graph.nodes))
    assert counted == 24_620_992
    assert counted == pytest.approx(300e6 * (64 / 224) ** 2, rel=0.01)
    # The widest place: 32 x 32 of 96 channels beside what becomes of them, 16 x 16.
    assert graph.arena_bytes == 32 * 32 * 96 + 16 * 16 * 96


def test_which_operators_a_delegate_runs(shipped_model_path: Path) -> None:
    model, _ = read_model(shipped_model_path)
    graph = read_graph(model)
    if find_runtime()[0].name == "tflite-runtime" and platform.machine() in ("x86_64", "armv7l"):
        # Its builds for x86-64 and 32-bit ARM keep XNNPACK's integer kernels out.
        assert graph.delegated == frozenset()
    else:
        assert [node.name for node in graph.nodes if node.index not in graph.delegated] == ["SOFTMAX"]
    assert read_graph(model, portable=True).delegated == frozenset()


def test_a_package_that_tells_no_operators(
    monkeypatch: pytest.MonkeyPatch, calls_itself: Callable[[str, str | None], None]
) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", stand_in())
    calls_itself("litert", "9.9")
    with pytest.raises(FerError) as caught:
        read_graph(b"model")
    assert str(caught.value) == "litert 9.9 does not tell a model's operators: try another --runtime"


@pytest.mark.parametrize("load", [read_graph, invoker])
def test_what_the_interpreter_refuses_has_no_graph(load: Any) -> None:
    with pytest.raises(ModelError) as caught:
        load(b"no model")
    assert "cannot load the model: " in str(caught.value)
    with pytest.raises(UsageError):
        load(b"no model", runtime="onnx")


def test_an_interpreter_that_is_too_old_is_not_asked_for_a_graph(
    monkeypatch: pytest.MonkeyPatch, model_path: Path
) -> None:
    package = sys.modules[find_runtime()[0].module.partition(".")[0]]
    monkeypatch.setattr(package, "__version__", "2.14.0")
    model, _ = read_model(model_path)
    for load in (read_graph, invoker):
        with pytest.raises(ModelError, match=r"the model needs TFLite 99\.0\.0 or newer"):
            load(model, minimum="99.0.0")


def test_a_model_can_be_run_for_nothing_but_its_time(model_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = invoker(read_model(model_path)[0], threads=1)
    assert [run() for _ in range(3)] == [None] * 3
    assert capfd.readouterr().err == ""
