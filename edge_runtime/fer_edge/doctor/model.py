"""Which interpreter runs a model, by which kernels, and whether it gives what it should; run by `apart`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fer_edge import interpreter
from fer_edge.doctor.finding import Finding, failure, ok, warning
from fer_edge.errors import FerError, ModelError
from fer_edge.graph import Graph
from fer_edge.metadata import ModelMetadata, read_model
from fer_edge.models import shipped_model
from fer_edge.runtimes import find_runtime
from fer_edge.verifying import verify

_MODEL = "copy or convert the file again; 'fer-edge models list' shows those that ship"
_LITERT = "pip install --upgrade ai-edge-litert"
# LiteRT has no 32-bit wheels.
_INTERPRETER = _LITERT if sys.maxsize > 2**32 else "pip install 'tflite-runtime==2.14.0' 'numpy<2'"
_FASTER = _LITERT if sys.maxsize > 2**32 else "a 64-bit Raspberry Pi OS has a faster interpreter"
# Of the arithmetic that XNNPACK should do.
_SHARE = 0.9


def examine(model: str | None, runtime: str | None) -> Iterator[Finding]:
    """Tell of the interpreter, then of the model, its kernels and its self-test as far as that can be tried.

    Args:
        model: Path of a `.tflite`; None for the shipped one.
        runtime: See `interpreter.Interpreter`.
    """
    try:
        chosen, _ = find_runtime(runtime)
    except FerError as error:
        yield failure("interpreter", str(error), _INTERPRETER)
        return
    release = chosen.release
    has = f", which has the operators of TFLite {release}" if release else ""
    yield ok("interpreter", f"{chosen.name} {chosen.version}{has}; NumPy {np.__version__}")
    path = Path(model) if model else shipped_model()
    try:
        content, metadata = read_model(path)
    except FerError as error:
        yield failure("model", str(error), _MODEL)
        return
    spec = metadata.input
    yield ok(
        "model", f"{path}: {metadata.name}, {metadata.recipe}, {spec.width} x {spec.height}, {len(content):,} bytes"
    )
    yield _kernels(content, metadata, runtime)
    yield _self_test(content, metadata, runtime)


def _kernels(content: bytes, metadata: ModelMetadata, runtime: str | None) -> Finding:
    """Tell what XNNPACK runs, and judge it by arithmetic: a hundred small operators weigh less than one convolution."""
    try:
        graph = interpreter.read_graph(content, minimum=metadata.minimum_runtime, runtime=runtime)
    except FerError as error:
        return warning("kernels", f"not told: {error}", "'self-test' tells whether the model works nevertheless")
    own = sorted({node.name for node in graph.nodes if node.index not in graph.delegated})
    int8 = [node.index for node in graph.nodes if graph.tensors[node.outputs[0]].dtype == np.int8]
    told = f"XNNPACK runs {len(graph.delegated)} of {len(graph.nodes)} operators"
    if int8:
        told += f", of the int8 ones {len(graph.delegated.intersection(int8))} of {len(int8)}"
    told += f", {100 * (share := _share(graph)):.0f} % of the arithmetic"
    told += f"; the interpreter itself: {', '.join(own)}" if own else ""
    if share >= _SHARE:
        return ok("kernels", told)
    return warning("kernels", told, f"the model works, several times slower than it could: {_FASTER}")


def _share(graph: Graph) -> float:
    """Give the part of the multiply-accumulates that a delegate does, 0..1; 1 where there are none."""
    costs = {node.index: graph.multiply_accumulates(node) for node in graph.nodes}
    return sum(costs[index] for index in graph.delegated) / whole if (whole := sum(costs.values())) else 1.0


def _self_test(content: bytes, metadata: ModelMetadata, runtime: str | None) -> Finding:
    try:
        verdict = verify(content, metadata, runtime=runtime)
    except ModelError as error:
        return failure("self-test", str(error), f"{_MODEL}, or try another --runtime")
    except FerError as error:  # the interpreter itself does not work
        return failure("self-test", str(error), _INTERPRETER)
    if not verdict.ok:
        return failure("self-test", "; ".join(verdict.failures), f"{_MODEL}, or try another --runtime")
    if not verdict.tested or metadata.self_test is None:
        told = "the model was loaded and run, but it has no self-test"
        return warning("self-test", told, "convert it again with this version of fer-convert")
    return ok(
        "self-test",
        f"{len(metadata.self_test.cases)} faces, largest difference {verdict.portable:.4f} by portable, "
        f"{verdict.default:.4f} by default kernels, {verdict.threads} thread{'s' if verdict.threads != 1 else ''}",
    )
