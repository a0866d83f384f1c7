"""What happens between the detector and the result."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class TrackerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When to search the whole picture, and how long to believe in a face that is not seen."""

    search_frames: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="The whole picture is searched in each frame of this number, 1 for every frame.",
        ),
    ] = 15
    search_s: Annotated[
        float,
        Meta(ge=0, le=3600, description="And when so much time has passed since the last such search, seconds."),
    ] = 0.5
    look_frames: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="The detector looks around each face in each frame of this number, 1 for every frame; in "
            "between the face is where its picture has moved.",
        ),
    ] = 5
    look_s: Annotated[
        float, Meta(ge=0, le=3600, description="And when so much time has passed since it last did, seconds.")
    ] = 0.2
    overlap: Annotated[
        float, Meta(ge=0, le=1, description="Intersection over union from which a box continues a track.")
    ] = 0.3
    patience_s: Annotated[
        float, Meta(ge=0, le=3600, description="How long a face may go unseen before its track ends, seconds.")
    ] = 0.4
    trust: Annotated[
        float,
        Meta(
            ge=0,
            le=1000,
            description="Nor may it go unseen for longer than this share of the time for which it was seen: what shows "
            "up for a moment was hardly a face.",
        ),
    ] = 0.3


class LoopSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is said of a face."""

    smoothing_s: Annotated[
        float,
        Meta(
            ge=0,
            le=60,
            description="Time constant of the average of a face's probabilities, seconds; 0 for none.",
        ),
    ] = 0.3
    min_confidence: Annotated[
        float, Meta(ge=0, le=1, description="Below this probability an expression is called uncertain.")
    ] = 0.0
    raw: Annotated[
        bool, Meta(description="Whether results keep the probabilities of each frame alone as well (jsonl).")
    ] = False
    tracker: TrackerSettings = TrackerSettings()
