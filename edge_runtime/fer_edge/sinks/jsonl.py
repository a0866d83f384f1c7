"""One JSON object a line, each line whole (https://jsonlines.org)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import msgspec

from fer_edge.settings.outputs import OutputSettings
from fer_edge.sinks import Context
from fer_edge.sinks._events import Event
from fer_edge.sinks._lines import Lines, open_lines
from fer_edge.sinks._objects import of_event, of_result
from fer_edge.types import Frame, Result


class JsonlSink:
    """Writes lines for programs; `docs/output.md` describes the fields."""

    pictures: ClassVar[bool] = False
    queued: ClassVar[bool] = False
    interval_s: ClassVar[float] = 0.0

    def __init__(self, lines: Lines) -> None:
        """Write to a stream or file of lines."""
        self._lines = lines
        self._encoder = msgspec.json.Encoder()

    def __enter__(self) -> Self:
        """Open it. Raises `FerError`."""
        self._lines.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._lines.__exit__()

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Write one line with one call."""
        self._line(of_result(result))

    def tell(self, event: Event) -> None:
        """Write one line with one call."""
        self._line(of_event(event))

    def _line(self, content: dict[str, Any]) -> None:
        self._lines.write(self._encoder.encode(content) + b"\n")


def create(settings: OutputSettings, _context: Context) -> JsonlSink:
    """Write to the file of the settings, or to stdout."""
    return JsonlSink(open_lines(settings.jsonl))
