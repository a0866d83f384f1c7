"""One row a face, for spreadsheets and data frames (RFC 4180, but for lines that end as elsewhere on Linux)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from fer_edge.settings.outputs import OutputSettings
from fer_edge.sinks import Context
from fer_edge.sinks._events import Event
from fer_edge.sinks._lines import LineSink, open_lines
from fer_edge.sinks._objects import PLACES, origin, round_distribution
from fer_edge.types import Frame, Result

_ORIGIN = ("frame", "time", "source")
_BOX = ("x", "y", "width", "height")
_FACE = (*_ORIGIN, "age_ms", "dropped", "track", *_BOX, "expression", "confidence")
_EVENT = (*_ORIGIN, "event", "track", *_BOX, "expression", "confidence", "was")


class CsvSink(LineSink):
    """Writes rows; `docs/output.md` describes the columns. A frame without a face has none.

    What it writes to begins with `head_of_faces` or `head_of_events`.
    """

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Write all rows of a frame with one call."""
        rows = []
        for face in result.faces:
            probabilities = round_distribution(face.probabilities)
            told = (face.expression, probabilities[face.label], *probabilities.values())
            rows.append(
                (*origin(result).values(), round(result.age_ms, 3), result.dropped, face.track, *face.box, *told)
            )
        if rows:
            self._lines.write(_encode(rows))

    def tell(self, event: Event) -> None:
        """Write one row with one call."""
        confidence = None if event.confidence is None else round(event.confidence, PLACES)
        told = (event.expression, confidence, event.was)
        self._lines.write(_encode([(*origin(event.result).values(), event.kind, event.track, *event.box, *told)]))


def head_of_faces(labels: Sequence[str]) -> bytes:
    """Give the first line where rows are faces."""
    return _encode([(*_FACE, *labels)])


def head_of_events() -> bytes:
    """Give the first line where rows are events."""
    return _encode([_EVENT])


def _encode(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def create(settings: OutputSettings, context: Context) -> CsvSink:
    """Write to the file of the settings, or to stdout."""
    head = head_of_events() if settings.events else head_of_faces(context.labels())
    return CsvSink(open_lines(settings.csv, head))
