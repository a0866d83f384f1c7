"""A TFLite file without repetitions: equal vectors are stored once.

An integer model has a scale and a zero point for each channel of each weight and bias, and all these zero points are
zero: eight bytes each. A flatbuffer may point at one vector from many places
(https://flatbuffers.dev/internals/), and every interpreter follows.
"""

from __future__ import annotations

from typing import Any

import flatbuffers

# TensorFlow is set up there, before anything of it is imported.
import fer_train.keras_setup  # noqa: F401

_IDENTIFIER = b"TFL3"


class _Sharing(flatbuffers.Builder):  # type: ignore[misc]  # flatbuffers ships no types
    """A builder that gives an equal vector the place of the first."""

    def __init__(self) -> None:
        super().__init__(1 << 20)
        self._places: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: Any) -> int:  # noqa: N802  # the name is flatbuffers'
        key = (x.dtype.str, x.tobytes())
        if key not in self._places:
            self._places[key] = super().CreateNumpyVector(x)
        return self._places[key]


def compact(model: bytes) -> bytes:
    """Give a TFLite flatbuffer that says the same in fewer bytes; equal ones give equal bytes."""
    from tensorflow.lite.python import schema_py_generated as schema

    builder = _Sharing()
    builder.Finish(schema.ModelT.InitFromPackedBuf(model, 0).Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())
