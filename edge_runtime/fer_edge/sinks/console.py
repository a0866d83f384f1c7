"""A readable line a frame."""

from __future__ import annotations

import sys
from typing import ClassVar, Self, TextIO

from fer_edge.settings.outputs import OutputSettings
from fer_edge.sinks import Context
from fer_edge.sinks._events import Event
from fer_edge.types import Face, Frame, Result


class ConsoleSink:
    """Writes lines for people.

    Example:
        frame 12: #1 happy 97 % at 120,80 200x200 | detect 6.1, classify 0.3, total 6.9 ms
    """

    pictures: ClassVar[bool] = False
    queued: ClassVar[bool] = False
    interval_s: ClassVar[float] = 0.0

    def __init__(self, stream: TextIO) -> None:
        """Write to a text stream."""
        self._stream = stream

    def __enter__(self) -> Self:
        """Nothing to open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Write one line and flush it."""
        faces = ", ".join(map(_face, result.faces)) or "no face"
        ms = result.ms
        self._line(
            f"frame {result.frame}: {faces} | "
            f"detect {ms.detect:.1f}, classify {ms.classify:.1f}, total {ms.total:.1f} ms\n"
        )

    def tell(self, event: Event) -> None:
        """Write one line and flush it."""
        told: str = event.kind
        if event.confidence is not None:
            told += f": {event.expression} {100 * event.confidence:.0f} %"
        if event.was is not None:
            told += f", was {event.was}"
        box = event.box
        self._line(f"frame {event.result.frame}: #{event.track} {told}, at {box.x},{box.y} {box.width}x{box.height}\n")

    def _line(self, line: str) -> None:
        self._stream.write(line)
        self._stream.flush()


def _face(face: Face) -> str:
    box = face.box
    return f"#{face.track} {face.expression} {100 * face.confidence:.0f} % at {box.x},{box.y} {box.width}x{box.height}"


def create(settings: OutputSettings, _context: Context) -> ConsoleSink:
    """Write to stdout or stderr."""
    return ConsoleSink(sys.stderr if settings.console.stream == "stderr" else sys.stdout)
