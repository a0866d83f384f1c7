"""Cut a model's graph: a TFLite flatbuffer that holds some of the operators of another.

The bytes stay as they are but for the list of operators, which is shortened where it stands, and the list of outputs,
which is written anew behind everything else. That needs neither TensorFlow nor LiteRT's schema, which tflite-runtime
does not have, and copies no weights about. The format: https://flatbuffers.dev/internals/ and TensorFlow's schema.fbs.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from fer_edge.errors import ModelError
from fer_edge.graph import Graph

# Slots of the schema's tables Model and SubGraph.
_SUBGRAPHS = 2
_OUTPUTS, _OPERATORS = 2, 3
_WORD = 4


def until(model: bytes, graph: Graph, last: int) -> bytes:
    """Cut a model behind an operator.

    All that was made so far and that later operators would have taken is an output, not only what the last one made: so
    none of them is left out as useless where a graph has branches.

    Args:
        model: See `cut`.
        graph: The model's.
        last: Position of the last operator, one that depends on the graph's input.

    Returns:
        See `cut`.

    Raises:
        ModelError: See `cut`.
    """
    fed, needed = graph.fed, set[int]()
    kept = []
    for node in reversed(graph.nodes[: last + 1]):
        # Constants that only later operators need are not made.
        if node.index in fed or not needed.isdisjoint(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    made = {tensor for node in kept if node.index in fed for tensor in node.outputs}
    outputs = made - needed | made & set(graph.outputs)
    return cut(model, [node.index for node in reversed(kept)], sorted(outputs))


def cut(model: bytes, operators: Sequence[int], outputs: Sequence[int]) -> bytes:
    """Give a model that has some of the operators of another, and its weights.

    Args:
        model: The bytes of a TFLite file that an interpreter takes; it has one graph.
        operators: Positions of those to keep, rising; none may need what others make.
        outputs: Numbers of the tensors that the new graph gives.

    Returns:
        A TFLite flatbuffer. The numbers of its tensors are those of the model.

    Raises:
        ModelError: The model has several graphs.
    """
    content = bytearray(model)
    # Vectors start at multiples of their element's size.
    content += bytes(-len(content) % _WORD)
    graphs = _target(content, _field(content, _target(content, 0), _SUBGRAPHS))
    if _number(content, graphs) != 1:
        raise ModelError(f"the model has {_number(content, graphs)} graphs, ours have one")
    graph = _target(content, graphs + _WORD)

    kept = _target(content, _field(content, graph, _OPERATORS))
    tables = [_target(content, kept + _WORD * (1 + position)) for position in operators]
    struct.pack_into("<I", content, kept, len(tables))
    for place, table in enumerate(tables, 1):
        # A reference is the distance from itself, and only forward: tables never come before the list that names them.
        struct.pack_into("<I", content, kept + _WORD * place, table - (kept + _WORD * place))

    # Another list may be the same bytes as that of the outputs, so that must not be changed.
    field = _field(content, graph, _OUTPUTS)
    struct.pack_into("<I", content, field, len(content) - field)
    content += struct.pack(f"<{1 + len(outputs)}I", len(outputs), *outputs)
    return bytes(content)


def _number(content: bytearray, place: int) -> int:
    return int(struct.unpack_from("<I", content, place)[0])


def _target(content: bytearray, place: int) -> int:
    """Follow a reference."""
    return place + _number(content, place)


def _field(content: bytearray, table: int, slot: int) -> int:
    """Give the place of a table's field; it must be there."""
    slots = table - int(struct.unpack_from("<i", content, table)[0])
    # Before the slots stand their own size and the table's.
    return table + int(struct.unpack_from("<H", content, slots + 2 * (2 + slot))[0])
