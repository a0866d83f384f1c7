"""Put a named entry into a TFLite model, such as its standard metadata: `Model.metadata` of TensorFlow's schema.fbs."""

from __future__ import annotations

from typing import Any

import flatbuffers
from flatbuffers.number_types import SOffsetTFlags, Uint32Flags, UOffsetTFlags, VOffsetTFlags
from flatbuffers.table import Table

_IDENTIFIER = b"TFL3"
# What schema.fbs aligns the data of buffers to.
_ALIGNMENT = 16
# Slots of the schema's tables. Those of Model hold tables, vectors or strings, but for the version.
_VERSION, _BUFFERS, _METADATA = 0, 4, 6
_METADATA_NAME, _METADATA_BUFFER = 0, 1
_BUFFER_DATA = 0


def with_entry(model: bytes, name: str, content: bytes) -> bytes:
    """Give a model an entry, in place of the one that has the same name.

    The model's bytes stay as they are, behind a new root that points into them. Packing its tables anew, by code that
    is generated for Python, would align the weights to 4 bytes only, and leave out the fields that it does not know.

    Args:
        model: A TFLite flatbuffer, without anything behind it.
        name: Of the entry.
        content: What it holds.

    Returns:
        A TFLite flatbuffer; equal arguments give equal bytes.
    """
    root = Table(model, int.from_bytes(model[: UOffsetTFlags.bytewidth], "little"))
    buffers, entries = _tables(root, _BUFFERS), _tables(root, _METADATA)
    same = [entry for entry in entries if _text(entry, _METADATA_NAME) == name.encode()]
    others = [entry for entry in entries if entry not in same]
    number = _scalar(same[0], _METADATA_BUFFER) if same else len(buffers)

    builder = flatbuffers.Builder(len(model) + len(content) + 4096)
    # Builders grow towards the front and count from the end, so this is where the old model's first byte is.
    start = _aligned(builder, model) - UOffsetTFlags.bytewidth
    data = _aligned(builder, content)
    builder.StartObject(_BUFFER_DATA + 1)
    builder.PrependUOffsetTRelativeSlot(_BUFFER_DATA, data, 0)
    places = [start - buffer.Pos for buffer in buffers]
    places[number : number + 1] = [builder.EndObject()]

    called = builder.CreateString(name)
    builder.StartObject(_METADATA_BUFFER + 1)
    builder.PrependUOffsetTRelativeSlot(_METADATA_NAME, called, 0)
    builder.PrependUint32Slot(_METADATA_BUFFER, number, 0)
    entry = builder.EndObject()
    fields = {slot: start - root.Indirect(place) for slot, place in _fields(root).items() if slot != _VERSION}
    fields[_METADATA] = vector(builder, [*(start - other.Pos for other in others), entry])
    fields[_BUFFERS] = vector(builder, places)

    builder.StartObject(max(fields) + 1)
    builder.PrependUint32Slot(_VERSION, _scalar(root, _VERSION), 0)
    for slot, place in fields.items():
        builder.PrependUOffsetTRelativeSlot(slot, place, 0)
    builder.Finish(builder.EndObject(), _IDENTIFIER)
    return bytes(builder.Output())


def vector(builder: Any, offsets: list[int]) -> int:
    """Write a vector of tables that are written already; gives its offset, from the end as builders have it."""
    builder.StartVector(UOffsetTFlags.bytewidth, len(offsets), UOffsetTFlags.bytewidth)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _aligned(builder: Any, content: bytes) -> int:
    builder.Prep(_ALIGNMENT, len(content))
    return int(builder.CreateByteVector(content))


def _fields(table: Any) -> dict[int, int]:
    """Give where the fields of a table are that it has, by their slots."""
    vtable = table.Pos - table.Get(SOffsetTFlags, table.Pos)
    # Its first two numbers are its own size and the table's.
    slots = table.Get(VOffsetTFlags, vtable) // VOffsetTFlags.bytewidth - 2
    places = {slot: table.Offset(VOffsetTFlags.bytewidth * (slot + 2)) for slot in range(slots)}
    return {slot: table.Pos + place for slot, place in places.items() if place}


def _scalar(table: Any, slot: int) -> int:
    place = _fields(table).get(slot)
    return 0 if place is None else int(table.Get(Uint32Flags, place))


def _text(table: Any, slot: int) -> bytes:
    return bytes(table.String(_fields(table)[slot]))


def _tables(table: Any, slot: int) -> list[Any]:
    place = _fields(table).get(slot)
    if place is None:
        return []
    first = table.Indirect(place) + UOffsetTFlags.bytewidth
    places = (first + UOffsetTFlags.bytewidth * index for index in range(table.VectorLen(place - table.Pos)))
    return [Table(table.Bytes, table.Indirect(element)) for element in places]
