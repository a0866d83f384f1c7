"""A readable line a frame on stdout."""

from __future__ import annotations

import sys
from typing import TextIO

from fer_edge.types import Face, Result


class ConsoleSink:
    """Writes lines for people.

    Example:
        frame 12: #1 happy 97 % at 120,80 200x200 | detect 6.1, classify 0.3, total 6.9 ms
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to a text stream."""
        self._stream = stream

    def write(self, result: Result) -> None:
        """Write one line and flush it."""
        faces = ", ".join(map(_face, result.faces)) or "no face"
        ms = result.ms
        self._stream.write(
            f"frame {result.frame}: {faces} | "
            f"detect {ms.detect:.1f}, classify {ms.classify:.1f}, total {ms.total:.1f} ms\n"
        )
        self._stream.flush()


def _face(face: Face) -> str:
    box = face.box
    return f"#{face.track} {face.expression} {100 * face.confidence:.0f} % at {box.x},{box.y} {box.width}x{box.height}"


def create() -> ConsoleSink:
    """Write to stdout."""
    return ConsoleSink(sys.stdout)
