from __future__ import annotations

import numpy as np
import pytest

from fer_edge.graph import Graph, GraphTensor, Node, between

# Two branches: 0 -> a -> 1, 1 -> b -> 2, 1 -> c -> 3, (2, 3) -> d -> 4. Weights: 5 is unpacked to 6, which c takes.
NODES = (
    Node(0, "DEQUANTIZE", (5,), (6,)),
    Node(1, "CONV_2D", (0, 7, -1), (1,)),
    Node(2, "DEPTHWISE_CONV_2D", (1, 8, 9), (2,)),
    Node(3, "CONV_2D", (1, 6, 9), (3,)),
    Node(4, "ADD", (2, 3), (4,)),
    Node(5, "MEAN", (4, 10), (11,)),
    Node(6, "FULLY_CONNECTED", (11, 12, -1), (13,)),
)
SHAPES = {
    0: (1, 8, 8, 3),
    1: (1, 4, 4, 6),
    2: (1, 4, 4, 6),
    3: (1, 4, 4, 6),
    4: (1, 4, 4, 6),
    5: (6, 1, 1, 6),
    6: (6, 1, 1, 6),
    7: (6, 3, 3, 3),
    8: (1, 5, 5, 6),
    9: (6,),
    10: (2,),
    11: (1, 6),
    12: (7, 6),
    13: (1, 7),
}


def graph(dtype: type = np.float32) -> Graph:
    tensors = {index: GraphTensor(f"t{index}", shape, np.dtype(dtype)) for index, shape in SHAPES.items()}
    return Graph(inputs=(0,), outputs=(13,), nodes=NODES, tensors=tensors)


def test_what_is_made_of_constants_is_not_fed() -> None:
    assert graph().fed == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 4), (np.int8, 1)])
def test_the_arena_holds_what_is_alive_at_once(dtype: type, size: int) -> None:
    # The input beside the first activation is 192 + 96 elements; three activations are alive in the second branch and
    # in the sum, 288 as well. Unpacked weights are none.
    assert graph(dtype).arena_bytes == size * 288


def test_what_is_given_stays_alive_to_the_end() -> None:
    one = graph()
    kept = Graph(inputs=one.inputs, outputs=(1, 13), nodes=one.nodes, tensors=one.tensors)
    # During the sum: the first activation, both branches, the sum.
    assert kept.arena_bytes == 4 * 4 * 96


def test_multiply_accumulates_counted_by_hand() -> None:
    one = graph()
    counted = [one.multiply_accumulates(node) for node in one.nodes]
    assert counted == [0, 4 * 4 * 6 * 3 * 3 * 3, 4 * 4 * 6 * 5 * 5, 4 * 4 * 6 * 6, 0, 0, 7 * 6]


@pytest.mark.parametrize(
    ("inputs", "outputs", "found"),
    [
        ((0, 5, 7, 8, 9), (4,), {0, 1, 2, 3, 4}),
        # Constants count as inputs; what is unpacked inside belongs to the part.
        ((1, 5, 8, 9), (4,), {0, 2, 3, 4}),
        ((1, 6, 8, 9), (4,), {2, 3, 4}),
        ((1, 8, 9), (2,), {2}),
        ((4, 10, 12), (13,), {5, 6}),
        ((), (), set()),
    ],
)
def test_a_part_of_a_graph(inputs: tuple[int, ...], outputs: tuple[int, ...], found: set[int]) -> None:
    assert between(NODES, inputs, outputs) == found
