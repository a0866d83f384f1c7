"""Whole loops."""

from __future__ import annotations

import msgspec

from fer_bench.results.figures import Ratio


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a loop, milliseconds a frame.

    Attributes:
        p50: Median.
        p90: See `Latency`.
        p99: See `Latency`.
        maximum: The longest.
    """

    p50: float
    p90: float
    p99: float
    maximum: float


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """What a loop takes for a frame without fetching it, as shares of the search that `Loops.search_ms` tells.

    Attributes:
        p50: Median frame.
        mean: Of all frames.
        p99: See `Latency`.
    """

    p50: float
    mean: float
    p99: float


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """A whole loop from frame to expressions.

    Attributes:
        name: Which loop.
        what: What it does, in a line.
        frames: Processed.
        faces: In them, all together.
        dropped: Overwritten frames of a live source while this loop had its turns.
        frames_per_second: Frames over the sum of their totals.
        stages: By name: capture, detect, classify, total, age.
        of_search: Beside one search of a whole picture.
        ratio: Of the totals to those of the first loop, frame by frame; None for the first.
    """

    name: str
    what: str
    frames: int
    faces: int
    dropped: int
    frames_per_second: float
    stages: dict[str, Stage]
    of_search: Shares
    ratio: Ratio | None = None


class Loops(msgspec.Struct, frozen=True, kw_only=True):
    """The loops on one source.

    Attributes:
        source: As given.
        model: Title of the variant that classifies.
        size: Width and height of the frames, pixels.
        search_ms: Median search of a whole picture by the loop "full-frame", milliseconds.
        loops: The product's first.
    """

    source: str
    model: str
    size: tuple[int, int]
    search_ms: float
    loops: tuple[Loop, ...]
