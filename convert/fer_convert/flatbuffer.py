"""What is in a TFLite flatbuffer: types, operators, the runtime that it needs.

The format is TensorFlow's schema.fbs, read by the reader that TensorFlow generates from it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

# TensorFlow is set up there, before anything of it is imported.
import fer_train.keras_setup  # noqa: F401
from fer_edge.graph import arena_bytes

_INTEGERS = frozenset({"int8", "uint8", "int16", "int32", "int64", "bool"})


@dataclass(frozen=True)
class Tensors:
    """The types and operators of a model.

    Attributes:
        ends: Type of the input and output, such as "int8".
        integer: Whether every tensor holds integers.
        operators: By name, how often each occurs.
        versions: By name, the highest version of each.
        sparsity: Share of the weights that are zero, 0..1; biases do not count.
        arena_bytes: The largest sum of activations that are alive at once: the least memory that an interpreter can
            plan for them.
    """

    ends: str
    integer: bool
    operators: dict[str, int]
    versions: dict[str, int]
    sparsity: float
    arena_bytes: int


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One operator of a model.

    Attributes:
        operator: Its name in the schema, such as "CONV_2D".
        version: Of the operator: a runtime that is older than it refuses the model.
        output: Shape of its first output.
        type: Type of that output, such as "int8".
        scale: Of that output where it is quantized, else None.
        weight: Shape of its largest constant; None without.
        weight_type: Type of that constant; None without.
        weight_scales: Number of scales of that constant: one a channel, one, or none.
        zeros: Share of the numbers of that constant that are zero, 0..1.
        weight_bytes: Of that constant.
    """

    operator: str
    version: int
    output: tuple[int, ...]
    type: str
    scale: float | None
    weight: tuple[int, ...] | None
    weight_type: str | None
    weight_scales: int
    zeros: float
    weight_bytes: int


def tensors(flatbuffer: bytes) -> Tensors:
    """Read the types and operators of a model with one graph."""
    model = _parse(flatbuffer)
    (graph,) = model.subgraphs
    return Tensors(
        ends=_type(graph.tensors[graph.inputs[0]]),
        integer={_type(tensor) for tensor in graph.tensors} <= _INTEGERS,
        operators=dict(sorted(Counter(_operator(model, one)[0] for one in graph.operators).items())),
        # A later pair of a name wins: that of the highest version.
        versions=dict(sorted(_operator(model, one) for one in graph.operators)),
        sparsity=sparsity(layers(flatbuffer)),
        arena_bytes=arena_bytes(
            graph.operators, graph.inputs, graph.outputs, lambda index: _bytes(graph.tensors[index])
        ),
    )


def sparsity(found: Sequence[Layer]) -> float:
    """Give the share of zeros in the weights of some layers, biases and shapes left out, 0..1."""
    sizes = [(math.prod(one.weight), one.zeros) for one in found if one.weight is not None and len(one.weight) > 1]
    total = sum(size for size, _ in sizes)
    return sum(size * zeros for size, zeros in sizes) / total if total else 0.0


def layers(flatbuffer: bytes) -> list[Layer]:
    """Read the operators of a model with one graph, in the order in which they run."""
    model = _parse(flatbuffer)
    (graph,) = model.subgraphs
    return [_layer(model, graph, operator) for operator in graph.operators]


def minimum_runtime(flatbuffer: bytes) -> str | None:
    """Read the lowest TFLite release that has every operator of a model; None where its converter left no word."""
    model = _parse(flatbuffer)
    for entry in model.metadata or []:
        if entry.name == b"min_runtime_version":
            return bytes(model.buffers[entry.buffer].data).rstrip(b"\0").decode()
    return None


def _layer(model: Any, graph: Any, operator: Any) -> Layer:
    name, version = _operator(model, operator)
    output = graph.tensors[operator.outputs[0]]
    # -1 stands for an optional input that is left out.
    inputs = [graph.tensors[index] for index in operator.inputs if index >= 0]
    weight = max(inputs, key=lambda tensor: len(_data(model, tensor)), default=None)
    data = np.zeros(0, np.uint8) if weight is None else _data(model, weight)
    scales = _scales(output)
    constant = weight is not None and len(data) > 0
    return Layer(
        operator=name,
        version=version,
        output=_shape(output),
        type=_type(output),
        scale=float(scales[0]) if len(scales) else None,
        weight=_shape(weight) if constant else None,
        weight_type=_type(weight) if constant else None,
        weight_scales=len(_scales(weight)) if constant else 0,
        zeros=_zeros(weight, data) if constant else 0.0,
        weight_bytes=len(data),
    )


def _zeros(tensor: Any, data: npt.NDArray[np.uint8]) -> float:
    """Give the share of zeros in a constant. One that is stored sparse holds the others alone, in blocks."""
    values = data.view(np.dtype(_type(tensor)))
    if tensor.sparsity is None:
        return float(np.mean(values == 0))
    return 1 - float(np.count_nonzero(values)) / math.prod(_shape(tensor))


def _bytes(tensor: Any) -> int:
    return math.prod(_shape(tensor)) * np.dtype(_type(tensor)).itemsize


def _data(model: Any, tensor: Any) -> npt.NDArray[np.uint8]:
    data = model.buffers[tensor.buffer].data
    return np.zeros(0, np.uint8) if data is None else np.asarray(data, np.uint8)


def _scales(tensor: Any) -> Any:
    return () if tensor.quantization is None or tensor.quantization.scale is None else tensor.quantization.scale


def _shape(tensor: Any) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(int(size) for size in tensor.shape)


def _type(tensor: Any) -> str:
    return _names(_schema().TensorType)[tensor.type].lower()


def _operator(model: Any, operator: Any) -> tuple[str, int]:
    code = model.operatorCodes[operator.opcodeIndex]
    # Operators above 127 do not fit the older of the two fields.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return _names(_schema().BuiltinOperator)[number], int(code.version)


def _names(enumeration: Any) -> dict[int, str]:
    return {number: name for name, number in vars(enumeration).items() if not name.startswith("_")}


def _parse(flatbuffer: bytes) -> Any:
    return _schema().ModelT.InitFromPackedBuf(flatbuffer, 0)


def _schema() -> Any:
    from tensorflow.lite.python import schema_py_generated

    return schema_py_generated
