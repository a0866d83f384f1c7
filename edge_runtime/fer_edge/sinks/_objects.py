"""Results and events as the objects that are written as JSON; `docs/output.md` describes the fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from fer_edge.sinks._events import Event
from fer_edge.types import BoardState, Face, Result

PLACES = 4


def of_result(result: Result) -> dict[str, Any]:
    """Give a result as an object."""
    ms = result.ms
    return {
        **origin(result),
        "age_ms": round(result.age_ms, 3),
        "dropped": result.dropped,
        "faces": [_face(face) for face in result.faces],
        "ms": {
            "capture": round(ms.capture, 3),
            "detect": round(ms.detect, 3),
            "classify": round(ms.classify, 3),
            "total": round(ms.total, 3),
        },
        **({} if result.board is None else {"board": _board(result.board)}),
    }


def of_event(event: Event) -> dict[str, Any]:
    """Give an event as an object."""
    return {
        "event": event.kind,
        **origin(event.result),
        "track": event.track,
        "box": list(event.box),
        "expression": event.expression,
        "was": event.was,
        "confidence": None if event.confidence is None else round(event.confidence, PLACES),
    }


def origin(result: Result) -> dict[str, Any]:
    """Give which frame it was, when, and of which source."""
    return {
        "frame": result.frame,
        "time": result.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        # A name in a Linux folder may be any bytes; what is no UTF-8 becomes a question mark.
        "source": result.source.encode(errors="replace").decode(),
    }


def _board(board: BoardState) -> dict[str, Any]:
    return {
        "temperature_c": None if board.temperature is None else round(board.temperature, 1),
        "throttled": None if board.throttled is None else list(board.throttled),
        "rate": board.rate,
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
    unit = 10**PLACES
    exact = {label: value * unit for label, value in probabilities.items()}
    whole = {label: int(value) for label, value in exact.items()}
    by_remainder = sorted(exact, key=lambda label: whole[label] - exact[label])
    for label in by_remainder[: unit - sum(whole.values())]:
        whole[label] += 1
    return {label: value / unit for label, value in whole.items()}
