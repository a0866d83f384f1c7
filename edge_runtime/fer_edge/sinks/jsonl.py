"""One JSON object a line, each line whole (https://jsonlines.org)."""

from __future__ import annotations

from typing import Any

import msgspec

from fer_edge.settings.outputs import OutputSettings
from fer_edge.sinks import Context
from fer_edge.sinks._events import Event
from fer_edge.sinks._lines import Lines, LineSink, open_lines
from fer_edge.sinks._objects import of_event, of_result
from fer_edge.types import Frame, Result


class JsonlSink(LineSink):
    """Writes lines for programs; `docs/output.md` describes the fields."""

    def __init__(self, lines: Lines) -> None:
        """Write to a stream or file of lines."""
        super().__init__(lines)
        self._encoder = msgspec.json.Encoder()

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
