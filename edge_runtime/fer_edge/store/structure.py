"""Whether a model's structure is sound and its sizes are bearable, told before an interpreter allocates anything.

The tables and the numbers of their fields are those of TensorFlow's schema.fbs, version 3. What is held here is what
memory depends on, and that nothing points to what is not there; what the operators do with it is tried by
`fer_edge.store.trying`, in a process of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from fer_edge.errors import ModelError
from fer_edge.graph import arena_bytes
from fer_edge.store.flatbuffer import Table

LARGEST_FILE = 256 << 20
# Of all activations that are alive at once, and of any one.
_LARGEST_ARENA = 256 << 20
_MOST = 10_000
_MOST_INPUTS = 1_000
_MOST_AXES = 8
_VERSION = 3
# By number of the schema's TensorType; 16 is more than any other has.
_BYTES = {0: 4, 1: 2, 2: 4, 3: 1, 4: 8, 6: 1, 7: 2, 8: 8, 9: 1, 10: 8, 12: 8, 15: 4, 16: 2, 17: 1, 18: 2}
_OTHER_BYTES = 16


@dataclass(frozen=True)
class _Operator:
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def check(content: bytes) -> None:
    """Check the structure of a TFLite file.

    Args:
        content: The whole file.

    Raises:
        ModelError: Something in it points outside of the file or to what is not there, or it would need more memory
            than any model for a small device. The message is a sentence on "it".
    """
    model = Table.root(memoryview(content))
    if (version := model.number(0, "<I")) != _VERSION:
        raise ModelError(f"its structure is damaged: its schema has version {version}, TFLite's has {_VERSION}")
    codes = sum(1 for _ in model.tables(1, _MOST))
    buffers = [_buffer(table, len(content)) for table in model.tables(4, 2 * _MOST)]
    graphs = list(model.tables(2, _MOST))
    if len(graphs) != 1:
        raise ModelError(f"it has {len(graphs)} graphs, ours have one")
    _check_graph(graphs[0], codes, buffers)


def _buffer(table: Table, total: int) -> int:
    """Give the bytes of a constant."""
    # What is too large for a flatbuffer lies behind it.
    offset, size = table.number(1, "<Q"), table.number(2, "<Q")
    if offset > 1 and offset + size > total:
        raise ModelError(f"its structure is damaged: {size:,} bytes of weights at byte {offset:,} of {total:,}")
    return table.size(0) or (size if offset > 1 else 0)


def _check_graph(graph: Table, codes: int, buffers: list[int]) -> None:
    sizes = []
    for tensor in graph.tables(0, _MOST):
        shape = tensor.numbers(0, _MOST_AXES)
        if (buffer := tensor.number(2, "<I")) >= len(buffers) or any(side < 0 for side in shape):
            raise ModelError(f"its structure is damaged: a tensor of the shape {shape} with constant {buffer}")
        # A constant takes no memory but its own.
        size = math.prod(shape) * _BYTES.get(tensor.number(1, "<b"), _OTHER_BYTES)
        if size > _LARGEST_ARENA and not buffers[buffer]:
            raise ModelError(f"it has a tensor of {size / 2**20:,.0f} MB: no model for a small device has")
        sizes.append(0 if buffers[buffer] else size)
    ends = _known(graph.numbers(1, _MOST_INPUTS), sizes), _known(graph.numbers(2, _MOST_INPUTS), sizes)
    operators = []
    for table in graph.tables(3, _MOST):
        if (code := table.number(0, "<I")) >= codes:
            raise ModelError(f"its structure is damaged: an operator of kind {code} of {codes}")
        inputs, outputs = (_known(table.numbers(field, _MOST_INPUTS), sizes) for field in (1, 2))
        operators.append(_Operator(inputs, outputs))
    needed = arena_bytes(operators, *ends, sizes.__getitem__)
    if needed > _LARGEST_ARENA:
        raise ModelError(f"it needs {needed / 2**20:,.0f} MB for its activations: no model for a small device does")


def _known(tensors: tuple[int, ...], sizes: list[int]) -> tuple[int, ...]:
    """Give the tensors that are there; -1 stands for one that is left out."""
    if any(not -1 <= index < len(sizes) for index in tensors):
        raise ModelError(f"its structure is damaged: tensors {tensors[:8]} of {len(sizes)}")
    return tuple(index for index in tensors if index >= 0)
