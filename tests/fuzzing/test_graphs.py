"""Graphs of any form, as damaged files may have."""

from __future__ import annotations

from math import prod

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.graph import Graph, GraphTensor, Node

COUNT = 6
NUMBERS = st.integers(-1, COUNT - 1)
SHAPES = st.lists(st.integers(0, 1 << 31), max_size=4).map(tuple)
NAMES = st.sampled_from(["CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", ""])
ENDS = st.lists(NUMBERS, max_size=4).map(tuple)
PLACES = st.lists(st.integers(0, COUNT - 1), max_size=3).map(tuple)


@settings(derandomize=True, database=None, deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(NAMES, ENDS, ENDS), max_size=8), st.lists(SHAPES, min_size=COUNT, max_size=COUNT), PLACES, PLACES
)
def test_any_graph_has_a_cost(
    nodes: list[tuple[str, tuple[int, ...], tuple[int, ...]]],
    shapes: list[tuple[int, ...]],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
) -> None:
    graph = Graph(
        inputs=inputs,
        outputs=outputs,
        nodes=tuple(Node(index, *node) for index, node in enumerate(nodes)),
        tensors={index: GraphTensor(str(index), shape, np.dtype(np.int8)) for index, shape in enumerate(shapes)},
    )
    assert 0 <= graph.arena_bytes <= sum(map(prod, shapes))
    assert graph.fed <= set(range(len(nodes)))
    assert all(graph.multiply_accumulates(node) >= 0 for node in graph.nodes)
