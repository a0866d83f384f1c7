"""A reader of flatbuffers that trusts nothing: every number is looked for within the file before it is used.

A flatbuffer is tables that point to each other by offsets (https://flatbuffers.dev/internals). Readers that are made
for speed, an interpreter's among them, follow these as they are.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

from fer_edge.errors import ModelError

Format = Literal["<b", "<B", "<i", "<I", "<Q", "<H"]


class Table:
    """A table: fields by their number in the schema, each of which may be absent."""

    def __init__(self, content: memoryview, at: int) -> None:
        """Find the list of a table's fields.

        Args:
            content: The file.
            at: Where the table begins, bytes.

        Raises:
            ModelError: It lies outside of the file.
        """
        self._content = content
        self._at = at
        self._fields = at - _number(content, "<i", at)
        self._count = max(0, _number(content, "<H", self._fields) - 4) // 2

    @classmethod
    def root(cls, content: memoryview) -> Table:
        """Give the table that a file begins with. Raises `ModelError` where there is none."""
        return cls(content, _number(content, "<I", 0))

    def number(self, field: int, form: Format, default: int = 0) -> int:
        """Give a field that is a number, `default` where it is absent. Raises `ModelError`."""
        at = self._position(field)
        return default if at is None else _number(self._content, form, at)

    def numbers(self, field: int, most: int) -> tuple[int, ...]:
        """Give a field that is a list of 32-bit numbers, empty where it is absent.

        Raises:
            ModelError: It lies outside of the file or has more than `most` numbers.
        """
        at, count = self._vector(field, 4, most)
        return struct.unpack_from(f"<{count}i", self._content, at)

    def size(self, field: int) -> int:
        """Give the bytes of a field that is a list of bytes, 0 where it is absent. Raises `ModelError`."""
        return self._vector(field, 1, len(self._content))[1]

    def tables(self, field: int, most: int) -> Iterator[Table]:
        """Give a field that is a list of tables.

        Raises:
            ModelError: It, or a table in it, lies outside of the file, or it has more than `most` tables.
        """
        at, count = self._vector(field, 4, most)
        for place in range(at, at + 4 * count, 4):
            yield Table(self._content, place + _number(self._content, "<I", place))

    def _position(self, field: int) -> int | None:
        offset = _number(self._content, "<H", self._fields + 4 + 2 * field) if field < self._count else 0
        return self._at + offset if offset else None

    def _vector(self, field: int, size: int, most: int) -> tuple[int, int]:
        """Give where the elements of a list begin, and how many there are."""
        if (at := self._position(field)) is None:
            return 0, 0
        at += _number(self._content, "<I", at)
        count = _number(self._content, "<I", at)
        if count > most or at + 4 + count * size > len(self._content):
            raise ModelError(f"its structure is damaged: a list of {count:,} at byte {at:,}")
        return at + 4, count


def _number(content: memoryview, form: Format, at: int) -> int:
    if not 0 <= at <= len(content) - struct.calcsize(form):
        raise ModelError(f"its structure is damaged: it points to byte {at:,} of {len(content):,}")
    number: int = struct.unpack_from(form, content, at)[0]
    return number
