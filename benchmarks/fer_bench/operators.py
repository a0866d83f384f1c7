"""Where the time of a model's graph goes, operator by operator, and what a graph costs.

The Python packages offer no profile. LiteRT's interpreter takes `experimental_force_delegate_node_profiling`, which
says how a profiler would count delegated operators, but no call attaches one or reads what it found; tflite-runtime
2.14 has not even that. (LiteRT's profiler belongs to its C interface and to another kind of interpreter than the one
that the device runs.) So the graph is cut behind each operator in turn, and what a cut takes longer than the one before
is that operator's time.

What disturbs an inference only makes it longer, and an operator takes some hundredths of a whole graph. So the shortest
of many runs counts, not their median; a graph that does more is never taken to be faster; and cuts that break that rule
are run again. On two processors that other work kept busy, ten seconds gave each operator of the shipped MobileNetV2
again to 1 microsecond (root mean square) of 627 in all, where medians gave 30; and those of its float32 parent, whose
weights outgrow the caches, to 10 to 20 of 1,450.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fer_bench import cutting, shortest
from fer_bench.results import Operator, Profile
from fer_bench.shortest import Run, Times
from fer_edge import interpreter
from fer_edge.errors import FerError
from fer_edge.graph import Graph

# Steps of a `profile`.
STEPS = shortest.STEPS
# Bytes of the cuts that are loaded at the same time: a Pi Zero 2 W has 512 MB in all.
_MEMORY = 96 << 20
# An interpreter holds the file, and its weights packed anew: in twice the bytes where they are float16.
_COPIES = 3
# How many are loaded at the same time: enough to time neighbours together; still more would gain nothing.
_TOGETHER = (3, 12)


@dataclass(frozen=True)
class GraphCost:
    """What a graph costs by its shapes alone.

    Attributes:
        multiply_accumulates: Of one inference; convolutions and dense layers.
        arena_bytes: Activations that are alive at once, at most.
    """

    multiply_accumulates: int
    arena_bytes: int


def graph_cost(model: bytes, *, minimum: str | None = None, runtime: str | None = None) -> GraphCost:
    """Give what a graph costs.

    Args:
        model: The bytes of a TFLite file with one graph.
        minimum: See `interpreter.Interpreter`.
        runtime: See `interpreter.Interpreter`.

    Raises:
        FerError: See `interpreter.read_graph`.
    """
    graph = interpreter.read_graph(model, minimum=minimum, runtime=runtime)
    return GraphCost(sum(map(graph.multiply_accumulates, graph.nodes)), graph.arena_bytes)


def profile(
    model: bytes,
    *,
    minimum: str | None = None,
    threads: int = 1,
    runtime: str | None = None,
    seconds: float = 10.0,
    seed: int = 0,
    step: Callable[[int], object] = lambda _: None,
) -> Profile:
    """Time each operator of a graph.

    Operators that make constants of constants, such as float32 weights of float16 ones, do so once and not with each
    inference: they have 0 ms. Whether an operator is delegated is that of the whole graph.

    A padding that XNNPACK runs as part of the convolution behind it takes the time of both.

    Args:
        model: The bytes of a TFLite file with one graph.
        minimum: See `interpreter.Interpreter`.
        threads: See `interpreter.Interpreter`.
        runtime: See `interpreter.Interpreter`.
        seconds: To take, loading included. Where all cuts cannot run in that time, each runs a few times nevertheless.
        seed: Of the order in which they run.
        step: Called with the steps that were done since its last call; there are `STEPS`.

    Raises:
        FerError: See `interpreter.read_graph`; or parts of the graph run by other kernels than the whole.
    """
    graph = interpreter.read_graph(model, minimum=minimum, runtime=runtime)
    positions = sorted(graph.fed)

    def load(number: int) -> Run:
        # Behind the cuts comes the model as it is, to hold their sum against.
        content = model if number == len(positions) else cutting.until(model, graph, positions[number])
        return interpreter.invoker(content, minimum=minimum, threads=threads, runtime=runtime)

    fitting = _MEMORY // (_COPIES * len(model) + graph.arena_bytes)
    size = min(max(fitting, _TOGETHER[0]), _TOGETHER[1])
    random = np.random.default_rng(seed)
    times = shortest.measure(load, len(positions) + 1, together=size, seconds=seconds, random=random, step=step)
    cuts, whole = times[:-1], float(times[-1])
    _check(graph, cuts, whole)
    took = dict(zip(positions, np.diff(shortest.bounded(cuts), prepend=0.0).tolist(), strict=True))
    return Profile(
        operators=tuple(
            Operator(
                index=node.index,
                name=node.name,
                output=graph.tensors[node.outputs[0]].name,
                shape=graph.tensors[node.outputs[0]].shape,
                delegated=node.index in graph.delegated,
                ms=took.get(node.index, 0.0),
                multiply_accumulates=graph.multiply_accumulates(node),
            )
            for node in graph.nodes
        ),
        delegated=len(graph.delegated),
        whole_ms=whole,
    )


def _check(graph: Graph, cuts: Times, whole: float) -> None:
    """Refuse a pruned graph that XNNPACK runs by its sparse kernels: these want all up to the pooling, or none.

    https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/delegates/xnnpack/README.md
    """
    unpacked = any(node.name == "DENSIFY" and node.index in graph.delegated for node in graph.nodes)
    # Where a tenth of the cuts is so much slower than longer ones, that is no disturbance.
    if unpacked and np.quantile(cuts - shortest.bounded(cuts), 0.9) > 0.1 * whole:
        raise FerError("XNNPACK runs the whole graph by its sparse kernels, and no part of it: nothing to time apart")
