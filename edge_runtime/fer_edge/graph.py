"""What a model's graph is made of and what it costs, whoever read it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class Step(Protocol):
    """Anything that makes tensors of tensors, told by their numbers; -1 stands for an input that is left out."""

    @property
    def inputs(self) -> Iterable[int]:
        """Tensors that it takes."""

    @property
    def outputs(self) -> Iterable[int]:
        """Tensors that it makes."""


@dataclass(frozen=True)
class Node:
    """One operator of a graph.

    Attributes:
        index: Position in the graph, from 0; operators run in this order.
        name: In TensorFlow's schema, such as "CONV_2D".
        inputs: Numbers of the tensors that it takes, weights among them; -1 for an input that is left out.
        outputs: Numbers of the tensors that it makes.
    """

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class GraphTensor:
    """An activation or a constant.

    Attributes:
        name: As its converter called it.
        shape: Sizes; of an activation the batch first.
        dtype: Type of its elements.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def size(self) -> int:
        """Number of its elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Graph:
    """A model's graph.

    Attributes:
        inputs: Numbers of the tensors that it takes.
        outputs: Numbers of the tensors that it gives.
        nodes: Its operators in order.
        tensors: By their numbers.
        delegated: Positions of the operators that a delegate, XNNPACK, runs in place of the interpreter's own kernels.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    nodes: tuple[Node, ...]
    tensors: Mapping[int, GraphTensor]
    delegated: frozenset[int] = frozenset()

    @property
    def fed(self) -> frozenset[int]:
        """Positions of the operators that run with each inference; see `fed`."""
        return fed(self.nodes, self.inputs)

    @property
    def arena_bytes(self) -> int:
        """The least memory that an interpreter can plan for the activations; see `arena_bytes`."""
        tensors = self.tensors
        return arena_bytes(
            self.nodes, self.inputs, self.outputs, lambda one: tensors[one].size * tensors[one].dtype.itemsize
        )

    def multiply_accumulates(self, node: Node) -> int:
        """Count those of one operator in one inference.

        Convolutions, depthwise convolutions and dense layers have some; all others count as none. Zeros among the
        weights count like other weights.
        """
        if node.name not in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
            return 0
        # A damaged file may name no weights, or weights of no size.
        constant = self.tensors.get(node.inputs[1]) if len(node.inputs) > 1 else None
        made = self.tensors.get(node.outputs[0]) if node.outputs else None
        if constant is None or made is None or 0 in constant.shape or not constant.shape:
            return 0
        weights = constant.shape
        # An output element is a sum over the weights of its channel: the last axis of a depthwise kernel, the first of
        # the others.
        channels = weights[-1] if node.name == "DEPTHWISE_CONV_2D" else weights[0]
        return made.size * (math.prod(weights) // channels)


def fed(steps: Sequence[Step], inputs: Iterable[int]) -> frozenset[int]:
    """Give the positions of those that depend on the graph's input.

    The others make constants of constants, such as float32 weights of float16 ones: interpreters do that once, and keep
    what comes out like a weight.
    """
    known, found = set(map(int, inputs)), set()
    for position, step in enumerate(steps):
        if not known.isdisjoint(map(int, step.inputs)):
            found.add(position)
            known.update(map(int, step.outputs))
    return frozenset(found)


def arena_bytes(
    steps: Sequence[Step], inputs: Iterable[int], outputs: Iterable[int], size: Callable[[int], int]
) -> int:
    """Give the largest sum of bytes of the activations that are alive during one operator.

    Args:
        steps: The graph's operators in order.
        inputs: Tensors that the graph takes.
        outputs: Tensors that the graph gives.
        size: Bytes of a tensor; asked of activations alone.
    """
    last = {int(index): len(steps) for index in outputs}
    for position, step in reversed(list(enumerate(steps))):
        for index in step.inputs:
            last.setdefault(int(index), position)
    running, alive, largest = fed(steps, inputs), set(map(int, inputs)), 0
    for position, step in enumerate(steps):
        if position in running:
            alive.update(index for index in map(int, step.outputs) if index >= 0)
        largest = max(largest, sum(map(size, alive)))
        alive = {index for index in alive if last.get(index, position) > position}
    return largest


def between(nodes: Sequence[Node], inputs: Iterable[int], outputs: Iterable[int]) -> frozenset[int]:
    """Give the positions of the operators that lead from some tensors to others: a part of a graph."""
    makers = {made: node for node in nodes for made in node.outputs}
    given, found, waiting = set(inputs), set(), list(outputs)
    while waiting:
        node = makers.get(index := waiting.pop())
        if node is not None and index not in given and node.index not in found:
            found.add(node.index)
            waiting += node.inputs
    return frozenset(found)
