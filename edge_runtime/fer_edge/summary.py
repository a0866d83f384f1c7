"""What a run came to: counts and percentiles, for the end of `fer-edge run`."""

from __future__ import annotations

import time
from typing import Self

import msgspec

from fer_edge.timing import Durations
from fer_edge.types import Result, StageTimes

_STAGES = StageTimes.__struct_fields__


class Summary:
    """Counts results in bounded memory; as a context manager it measures the wall-clock time.

    Attributes:
        frames: Frames processed.
        faces: Faces in them, all together.
        dropped: Frames of a live source that were overwritten before they were taken.
        seconds: Wall-clock time between entering and leaving the context.
    """

    def __init__(self) -> None:
        """Start at zero."""
        self.frames = 0
        self.faces = 0
        self.dropped = 0
        self.seconds = 0.0
        self._stages = {name: Durations() for name in (*_STAGES, "age")}

    def __enter__(self) -> Self:
        """Start the clock."""
        self._entered = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the clock."""
        self.seconds = time.monotonic() - self._entered

    def add(self, result: Result) -> None:
        """Count one result."""
        self.frames += 1
        self.faces += len(result.faces)
        self.dropped = result.dropped
        for name, ms in zip(_STAGES, msgspec.structs.astuple(result.ms), strict=True):
            self._stages[name].add(ms)
        self._stages["age"].add(result.age_ms)

    def __str__(self) -> str:
        """Give counts, frames a second, and a table of percentiles."""
        if not self.frames:
            return "frames 0"
        from tabulate import tabulate  # when the first answer is long out

        rows = [
            [name, *(stage.percentile(percent) for percent in (50, 90, 99)), stage.maximum]
            for name, stage in self._stages.items()
        ]
        return (
            f"frames {self.frames}, faces {self.faces}, {self.frames / self.seconds:.1f} frames/s, "
            f"dropped {self.dropped}\n" + tabulate(rows, headers=["ms", "p50", "p90", "p99", "max"], floatfmt=".2f")
        )
