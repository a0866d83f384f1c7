"""One JSON object a line on stdout, each line whole and flushed (https://jsonlines.org)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC
from typing import Any, BinaryIO

import msgspec

from fer_edge.types import Face, Result

_PLACES = 4


class JsonlSink:
    """Writes lines for programs; `docs/output.md` describes the fields."""

    def __init__(self, stream: BinaryIO) -> None:
        """Write to a binary stream."""
        self._stream = stream
        self._encoder = msgspec.json.Encoder()

    def write(self, result: Result) -> None:
        """Write one line with one call, and flush it."""
        self._stream.write(self._encoder.encode(as_object(result)) + b"\n")
        self._stream.flush()


def as_object(result: Result) -> dict[str, Any]:
    """Give a result as the JSON object that is written."""
    ms = result.ms
    return {
        "frame": result.frame,
        "time": result.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        # A name in a Linux folder may be any bytes; what is no UTF-8 becomes a question mark.
        "source": result.source.encode(errors="replace").decode(),
        "age_ms": round(result.age_ms, 3),
        "dropped": result.dropped,
        "faces": [_face(face) for face in result.faces],
        "ms": {
            "capture": round(ms.capture, 3),
            "detect": round(ms.detect, 3),
            "classify": round(ms.classify, 3),
            "total": round(ms.total, 3),
        },
    }


def _face(face: Face) -> dict[str, Any]:
    probabilities = round_distribution(face.probabilities)
    return {
        "track": face.track,
        "box": list(face.box),
        "expression": face.expression,
        "confidence": probabilities[face.label],
        "probabilities": probabilities,
        **({} if face.raw is None else {"raw": round_distribution(face.raw)}),
    }


def round_distribution(probabilities: Mapping[str, float]) -> dict[str, float]:
    """Round probabilities to four places so that they still sum to 1 (largest remainder method)."""
    unit = 10**_PLACES
    exact = {label: value * unit for label, value in probabilities.items()}
    whole = {label: int(value) for label, value in exact.items()}
    by_remainder = sorted(exact, key=lambda label: whole[label] - exact[label])
    for label in by_remainder[: unit - sum(whole.values())]:
        whole[label] += 1
    return {label: value / unit for label, value in whole.items()}


def create() -> JsonlSink:
    """Write to stdout."""
    return JsonlSink(sys.stdout.buffer)
