"""One adapter over the TFLite interpreters, which `runtimes` finds.

What differs between them (names, threads, quantised tensors, error texts) ends here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fer_edge import releases
from fer_edge.errors import FerError, ModelError
from fer_edge.quiet import native_stderr_hidden
from fer_edge.runtimes import Runtime, find_runtime
from fer_edge.tensors import Tensor

if TYPE_CHECKING:
    from fer_edge.graph import Graph, Node


def default_threads() -> int:
    """Threads for the classifier: all cores of this process but one for the camera, at most four.

    An interpreter with more threads than free cores collapses to a fraction of its speed.
    """
    return max(1, min(4, len(os.sched_getaffinity(0)) - 1))


def _check_age(runtime: Runtime, minimum: str) -> None:
    """Refuse an interpreter that is older than a model, in place of its own words on operators and versions."""
    if runtime.name == "litert" and not releases.older(releases.FIRST_LITERT, minimum):
        return
    release = runtime.release
    if release is not None and releases.older(release, minimum):
        has = "" if release == runtime.version else f", which has the operators of TFLite {release}"
        raise ModelError(
            f"the model needs TFLite {minimum} or newer, installed is {runtime.name} {runtime.version}{has}: "
            "upgrade with 'pip install -U ai-edge-litert', or convert the run by another recipe"
        )


def _choose(name: str | None, minimum: str | None) -> tuple[Runtime, ModuleType]:
    runtime, module = find_runtime(name)
    if minimum is not None:
        _check_age(runtime, minimum)
    return runtime, module


@contextmanager
def _told(runtime: Runtime) -> Iterator[None]:
    """Hide what native code writes to stderr, and tell its errors in a line."""
    try:
        with native_stderr_hidden():  # LiteRT announces XNNPACK, and repeats each error there
            yield
    except SystemError as error:  # a native module that was built for another NumPy
        raise FerError(
            f"{runtime.name} {runtime.version} does not work with NumPy {np.__version__}: "
            "tflite-runtime needs 'numpy<2'"
        ) from error
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"{runtime.name} {runtime.version} cannot load the model: {reason}") from error


def _make(module: ModuleType, model: bytes, threads: int, portable: bool) -> Any:
    kernels = module.OpResolverType
    return module.Interpreter(
        model_content=model,
        num_threads=threads,
        experimental_op_resolver_type=kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES if portable else kernels.AUTO,
    )


class Interpreter:
    """A loaded model with one input and one output, whichever package runs it.

    Attributes:
        runtime: The package.
        threads: Threads it was made with.
        input: The input tensor.
        output: The output tensor.
    """

    def __init__(
        self,
        model: bytes,
        *,
        minimum: str | None = None,
        threads: int | None = None,
        runtime: str | None = None,
        portable: bool = False,
    ) -> None:
        """Load a model.

        Args:
            model: The bytes of a TFLite file.
            minimum: Lowest TFLite release that has its operators, by TensorFlow's numbers; None where nobody knows.
            threads: Fixed for the interpreter's life; by default `default_threads()`.
            runtime: Name of the only package to use.
            portable: Use the kernels that all packages share in place of XNNPACK's. On x86-64 an integer model then
                gives the same numbers in each of them, bit for bit, but runs several times slower.

        Raises:
            ModelError: The package is older than the model needs, or does not take it.
            FerError: No package can be imported.
            UsageError: The runtime's name is not known.
        """
        self.runtime, module = _choose(runtime, minimum)
        self.threads = threads or default_threads()
        with _told(self.runtime):
            self._interpreter = _make(module, model, self.threads, portable)
            self._interpreter.allocate_tensors()
        self.input = self._only(self._interpreter.get_input_details(), "input")
        self.output = self._only(self._interpreter.get_output_details(), "output")
        self._invoke: Callable[[], None] = self._interpreter.invoke

    def run(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Run the model once.

        Args:
            stored: `input.shape` and `input.dtype`: quantised where the model is.

        Returns:
            A copy of the output, `output.shape` and `output.dtype`.

        Raises:
            ModelError: The model cannot be run, which for some damage shows only here.
        """
        self._interpreter.set_tensor(self.input.index, stored)
        try:
            self._invoke()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{self.runtime.name} cannot run the model: {' '.join(str(error).split())}") from error
        result: npt.NDArray[Any] = self._interpreter.get_tensor(self.output.index)
        return result

    @staticmethod
    def _only(details: list[dict[str, Any]], what: str) -> Tensor:
        if len(details) != 1:
            raise ModelError(f"the model has {len(details)} {what}s, ours have one")
        return Tensor.of(details[0])


def read_graph(
    model: bytes, *, minimum: str | None = None, runtime: str | None = None, portable: bool = False
) -> Graph:
    """Read a model's graph, and which of its operators a delegate runs.

    Args:
        model: The bytes of a TFLite file with one graph.
        minimum: See `Interpreter`.
        runtime: See `Interpreter`.
        portable: See `Interpreter`; nothing is delegated then.

    Raises:
        ModelError: See `Interpreter`.
        FerError: See `Interpreter`; or the package does not tell a model's operators.
        UsageError: See `Interpreter`.
    """
    from fer_edge.graph import Graph, GraphTensor, between  # the loop needs no graph

    chosen, module = _choose(runtime, minimum)
    with _told(chosen):
        interpreter = _make(module, model, 1, portable)
        if not hasattr(interpreter, "_get_ops_details"):
            raise FerError(f"{chosen.name} {chosen.version} does not tell a model's operators: try another --runtime")
        nodes = _nodes(interpreter)
        tensors = {int(one["index"]): one for one in interpreter.get_tensor_details()}
        # Delegates take operators over now. These stay where they were, and each part that was taken is a node more.
        interpreter.allocate_tensors()
        parts = _nodes(interpreter)[len(nodes) :]
        ends = interpreter.get_input_details(), interpreter.get_output_details()
    inputs, outputs = (tuple(int(one["index"]) for one in details) for details in ends)
    return Graph(
        inputs=inputs,
        outputs=outputs,
        nodes=nodes,
        tensors={
            index: GraphTensor(str(one["name"]), tuple(map(int, one["shape"])), np.dtype(one["dtype"]))
            for index, one in tensors.items()
        },
        delegated=frozenset().union(*(between(nodes, part.inputs, part.outputs) for part in parts)),
    )


def _nodes(interpreter: Any) -> tuple[Node, ...]:
    from fer_edge.graph import Node

    return tuple(
        Node(int(one["index"]), str(one["op_name"]), tuple(map(int, one["inputs"])), tuple(map(int, one["outputs"])))
        for one in interpreter._get_ops_details()
    )


def invoker(
    model: bytes, *, minimum: str | None = None, threads: int | None = None, runtime: str | None = None
) -> Callable[[], None]:
    """Load a model with any number of inputs and outputs, for timing its inference alone.

    Args:
        model: The bytes of a TFLite file.
        minimum: See `Interpreter`.
        threads: See `Interpreter`.
        runtime: See `Interpreter`.

    Returns:
        A function that runs the model once, on an input of random numbers that stays the same.

    Raises:
        ModelError: See `Interpreter`.
        FerError: See `Interpreter`.
        UsageError: See `Interpreter`.
    """
    chosen, module = _choose(runtime, minimum)
    random = np.random.default_rng(0)
    with _told(chosen):
        interpreter = _make(module, model, threads or default_threads(), False)
        interpreter.allocate_tensors()
        for one in interpreter.get_input_details():
            values = random.uniform(0, 1 if np.dtype(one["dtype"]).kind == "f" else 127, one["shape"])
            interpreter.set_tensor(one["index"], values.astype(one["dtype"]))
        # What it cannot run shows with the first run.
        interpreter.invoke()
    run: Callable[[], None] = interpreter.invoke
    return run
