"""The standard description of a TFLite model, which phone libraries such as MediaPipe Tasks read.

It is a flatbuffer of its own, in the model's metadata entry `TFLITE_METADATA`
(https://ai.google.dev/edge/litert/models/metadata). Names and numbers below are those of its schema,
metadata_schema.fbs, version 1.5.0. What it has no field for is in `metadata.json` alone (`fer_edge.metadata`).
"""

from __future__ import annotations

from typing import Any

import flatbuffers

from fer_convert.entries import vector, with_entry
from fer_convert.flatbuffer import tensors
from fer_edge.metadata import LABELS_NAME, InputSpec, ModelMetadata
from fer_train.datasets import fer2013_csv

ENTRY_NAME = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
# All that we write was there from the beginning.
_MIN_PARSER_VERSION = "1.0.0"

# The fields of each table as the schema orders them, which numbers them; a union has its type before it.
_FIELDS = {
    "ModelMetadata": "name description version subgraph_metadata author license associated_files min_parser_version",
    "SubGraphMetadata": "name description input_tensor_metadata output_tensor_metadata",
    "TensorMetadata": "name description dimension_names content process_units stats associated_files",
    "Content": "content_properties_type content_properties",
    "ImageProperties": "color_space",
    "ProcessUnit": "options_type options",
    "NormalizationOptions": "mean std",
    "Stats": "max min",
    "AssociatedFile": "name description type",
}
# Values of enumerations, and types of unions.
_COLOR_SPACES = {"rgb": 1, "gray": 2}
_IMAGE_PROPERTIES = 2
_NORMALIZATION_OPTIONS = 1
_TENSOR_AXIS_LABELS = 2

# What integer tensors hold, pixels as well as probabilities.
_RANGES = {"int8": (-128.0, 127.0), "uint8": (0.0, 255.0)}
_TERMS = {
    fer2013_csv.NAME: "For research use, like its training data: FER2013 was collected by a web search for a research "
    "competition."
}


def add(model: bytes, metadata: ModelMetadata) -> bytes:
    """Give a model the standard description; equal inputs give equal bytes.

    Args:
        model: A TFLite flatbuffer, before `fer_edge.metadata.attach`.
        metadata: Our own description of it.

    Returns:
        A TFLite flatbuffer. It names `labels.txt`, which `attach` adds.
    """
    return with_entry(model, ENTRY_NAME, describe(metadata, tensors(model).ends))


def describe(metadata: ModelMetadata, ends: str) -> bytes:
    """Write the standard description.

    Args:
        metadata: Our own.
        ends: Type of the model's input and output, such as "uint8".

    Returns:
        A flatbuffer of metadata_schema.fbs.
    """
    terms = _TERMS.get(metadata.origin.data)
    described = _Table(
        "ModelMetadata",
        name=metadata.name,
        description=f"Names the expression that a cut-out face resembles: {', '.join(metadata.labels)}. "
        f"{metadata.origin.architecture}, {metadata.recipe}, trained on {metadata.origin.data} by fer-edge.",
        subgraph_metadata=[
            _Table(
                "SubGraphMetadata",
                input_tensor_metadata=[_input(metadata.input, ends)],
                output_tensor_metadata=[_output(ends)],
            )
        ],
        min_parser_version=_MIN_PARSER_VERSION,
        **({} if terms is None else {"license": terms}),
    )
    builder = flatbuffers.Builder(4096)
    builder.Finish(described.write(builder), _IDENTIFIER)
    return bytes(builder.Output())


class _Table:
    """A table to write: a field is a text, an enumeration's number, a table, or a list of tables or of float32."""

    def __init__(self, name: str, /, **fields: str | int | _Table | list[_Table] | list[float]) -> None:
        self.fields = {_FIELDS[name].split().index(field): value for field, value in fields.items()}

    def write(self, builder: Any) -> int:
        """Write what it holds, then itself; gives its offset, from the end as builders have it."""
        offsets = {slot: _write(builder, value) for slot, value in self.fields.items() if not isinstance(value, int)}
        builder.StartObject(max(self.fields) + 1)
        for slot, value in self.fields.items():
            if isinstance(value, int):
                builder.PrependUint8Slot(slot, value, 0)
            else:
                builder.PrependUOffsetTRelativeSlot(slot, offsets[slot], 0)
        return int(builder.EndObject())


def _write(builder: Any, value: str | _Table | list[_Table] | list[float]) -> int:
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, _Table):
        return value.write(builder)
    if tables := [one for one in value if isinstance(one, _Table)]:
        return vector(builder, [table.write(builder) for table in tables])
    builder.StartVector(4, len(value), 4)
    for number in reversed(value):
        builder.PrependFloat32(number)
    return int(builder.EndVector())


def _input(spec: InputSpec, ends: str) -> _Table:
    through = f"brought to {spec.face_size} x {spec.face_size} pixels, then " if spec.face_size else ""
    low, high = _RANGES.get(ends, (spec.offset, 255 * spec.scale + spec.offset))
    return _Table(
        "TensorMetadata",
        name="face",
        description=f"A cut-out face in grey (BT.601 luma), with {spec.margin:.0%} of the detector's box added to each "
        f"side, {through}resized to {spec.width} x {spec.height}; {spec.channels} equal channel(s).",
        content=_Table(
            "Content",
            content_properties_type=_IMAGE_PROPERTIES,
            content_properties=_Table("ImageProperties", color_space=_COLOR_SPACES[spec.color]),
        ),
        process_units=[
            _Table(
                "ProcessUnit",
                options_type=_NORMALIZATION_OPTIONS,
                # (pixel - mean) / std; a quantized model has those of the real values.
                options=_Table("NormalizationOptions", mean=[-spec.offset / spec.scale], std=[1 / spec.scale]),
            )
        ],
        stats=_Table("Stats", max=[high], min=[low]),
    )


def _output(ends: str) -> _Table:
    low, high = _RANGES.get(ends, (0.0, 1.0))
    labels = _Table(
        "AssociatedFile", name=LABELS_NAME, description="The expressions, one a line.", type=_TENSOR_AXIS_LABELS
    )
    return _Table(
        "TensorMetadata",
        name="probability",
        description="Of each expression.",
        stats=_Table("Stats", max=[high], min=[low]),
        associated_files=[labels],
    )
