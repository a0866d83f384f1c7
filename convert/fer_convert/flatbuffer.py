"""What is in a TFLite flatbuffer: types, operators, the runtime that it needs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

# TensorFlow is set up there, before anything of it is imported.
import fer_train.keras_setup  # noqa: F401
from fer_edge.errors import FerError

_INTEGERS = frozenset({"INT8", "UINT8", "INT16", "INT32", "INT64", "BOOL"})


@dataclass(frozen=True)
class Tensors:
    """The types and operators of a model.

    Attributes:
        ends: Type of the input and output, such as "int8".
        integer: Whether every tensor holds integers.
        operators: By name, how often each occurs.
    """

    ends: str
    integer: bool
    operators: dict[str, int]


def tensors(flatbuffer: bytes) -> Tensors:
    """Read the types and operators of a model with one graph."""
    schema = _schema()
    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    (graph,) = model.subgraphs
    types = {number: name for name, number in vars(schema.TensorType).items() if not name.startswith("_")}
    codes = {number: name for name, number in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    used = [types[tensor.type] for tensor in graph.tensors]
    return Tensors(
        ends=types[graph.tensors[graph.inputs[0]].type].lower(),
        integer=set(used) <= _INTEGERS,
        operators=dict(sorted(Counter(codes[_code(model, operator)] for operator in graph.operators).items())),
    )


def _schema() -> Any:
    from tensorflow.lite.python import schema_py_generated

    return schema_py_generated


def _code(model: Any, operator: Any) -> int:
    code = model.operatorCodes[operator.opcodeIndex]
    # Operators above 127 do not fit the older of the two fields.
    return int(max(code.builtinCode, code.deprecatedBuiltinCode))


def minimum_runtime(flatbuffer: bytes) -> str:
    """Read the lowest TFLite release that runs every operator of a model, as the converter wrote it into the file."""
    schema = _schema()
    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    for entry in model.metadata or []:
        if entry.name == b"min_runtime_version":
            return bytes(model.buffers[entry.buffer].data).rstrip(b"\0").decode()
    raise FerError("the converter wrote no min_runtime_version into the model")
