"""Events: a face appears, its expression changes, it leaves."""

from __future__ import annotations

from typing import Literal

import msgspec

from fer_edge.box import Box
from fer_edge.types import Face, Result


class Event(msgspec.Struct, frozen=True):
    """What has become of a face since the frame before.

    Attributes:
        kind: What has happened.
        track: Number of its track.
        box: Where it is, pixels; of one that has left, where it was.
        expression: What it shows; None where it has left.
        confidence: Probability of the most probable label, 0..1; None where it has left.
        was: What it showed before; None where it has appeared.
        result: Of the frame.
    """

    kind: Literal["appeared", "changed", "left"]
    track: int
    box: Box
    expression: str | None
    confidence: float | None
    was: str | None
    result: Result


class Follower:
    """Compares each result with the one before.

    `uncertain` is an expression like any other, and a track that is not in a result has left.

    Example:
        >>> [event.kind for event in Follower().events(result)]
        ['appeared']
    """

    def __init__(self) -> None:
        """Start with no face."""
        self._faces: dict[int, Face] = {}

    def events(self, result: Result) -> list[Event]:
        """Give what is new: first who has left, then the faces that are there, each by track number."""
        before, self._faces = self._faces, {face.track: face for face in result.faces}
        events = [
            Event("left", track, face.box, None, None, face.expression, result)
            for track, face in before.items()
            if track not in self._faces
        ]
        for track, face in self._faces.items():
            was = before[track].expression if track in before else None
            if was != face.expression:
                kind: Literal["appeared", "changed"] = "appeared" if was is None else "changed"
                events.append(Event(kind, track, face.box, face.expression, face.confidence, was, result))
        return events
