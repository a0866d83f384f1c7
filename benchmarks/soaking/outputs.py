"""Outputs that fail, and a log whose file is taken away; what they wrote is read back."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

import msgspec
import numpy as np

from fer_edge.sinks import LostError
from fer_edge.sinks.jsonl import JsonlSink
from fer_edge.types import Frame, Result

# A slow output waits for the loop, but not for ever.
_SLOWEST_S = 5.0
_MADE, _READ = 1, 2


class Counting(JsonlSink):
    """The output jsonl.

    Attributes:
        count: Lines that it says it has written.
    """

    count = 0

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Write one line; see `JsonlSink`."""
        super().write(result, frame)
        self.count += 1


class Fussy:
    """An output that now and then loses a result, and now and then is so slow that its queue overflows.

    Attributes:
        count: What it has written.
        refused: What it has lost.
        slow: How often it was slow.
    """

    pictures: ClassVar[bool] = False
    queued: ClassVar[bool] = True
    interval_s: ClassVar[float] = 0.0

    def __init__(self, faults: float, seed: int, calm: threading.Event, handed: Callable[[], int], queue: int) -> None:
        """Say when.

        Args:
            faults: Share of results that are lost, and with which it is slow.
            seed: Of what happens when.
            calm: While it is set, nothing happens.
            handed: Gives how many results the outputs have got.
            queue: Its size; being slow lasts until twice as many have come.
        """
        self.count = self.refused = self.slow = 0
        self._faults, self._calm, self._handed, self._queue = faults, calm, handed, queue
        self._random = random.Random(seed)

    def __enter__(self) -> Self:
        """Open nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close nothing."""

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Take one result. Raises `LostError`."""
        drawn = self._random.random() if not self._calm.is_set() else 1.0
        if drawn < self._faults:
            self.refused += 1
            raise LostError("its reader says no")
        if drawn < 2 * self._faults:
            self.slow += 1
            until, end_s = self._handed() + 2 * self._queue, time.monotonic() + _SLOWEST_S
            while self._handed() < until and not self._calm.is_set() and time.monotonic() < end_s:
                time.sleep(0.001)
        self.count += 1

    def camera(self, there: bool) -> None:
        """Take note whether there is a camera."""
        self.count += 1


class _Line(msgspec.Struct):
    frame: int


class Log:
    """The lines that are read back from a file that is taken away again and again.

    Attributes:
        moved: How often the file was renamed.
        removed: How often it was removed.
        lines: Whole lines that were read.
        files: Files that were read.
        wrong: Lines that are torn, of no result, or there twice.
    """

    def __init__(self, path: Path, results: int) -> None:
        """Take the file's path, and about how many results there will be."""
        self.path = path
        self.moved = self.removed = self.lines = self.files = self.wrong = 0
        # By number of the frame. Filled, so that the memory is there from the beginning.
        self._state = np.full(8 * results + 100_000, 0, np.uint8)
        self._away: list[Path] = []
        self._decoder = msgspec.json.Decoder(_Line)

    def made(self, result: Result) -> None:
        """Take note of a result."""
        self._state[result.frame] = _MADE

    def take_away(self) -> bool:
        """Take the file away under the output; say no where there is none."""
        there = self.path.with_name(f"away.{self.moved + self.removed}")
        try:
            if self.moved > self.removed:
                there.hardlink_to(self.path)  # else nobody could tell what was in it
                self.path.unlink()
                self.removed += 1
            else:
                self.path.rename(there)
                self.moved += 1
        except FileNotFoundError:
            return False
        self._away.append(there)
        if len(self._away) > 32:
            # The output has left all but the last: there was a new one.
            self._read(self._away[:-1])
            self._away = self._away[-1:]
            self._read(self._rotated())
        return True

    def read_rest(self) -> None:
        """Read all that is there, when the output is closed."""
        self._read([*self._away, *self._rotated(), *([self.path] if self.path.exists() else [])])

    def _rotated(self) -> list[Path]:
        return sorted(self.path.parent.glob(f"{self.path.name}.*"))

    def _read(self, paths: list[Path]) -> None:
        for path in paths:
            for line in path.read_bytes().splitlines(keepends=True):
                self._check(line)
            path.unlink()
            self.files += 1

    def _check(self, line: bytes) -> None:
        try:
            number = self._decoder.decode(line).frame
        except msgspec.DecodeError:
            self.wrong += 1
            return
        if not line.endswith(b"\n") or self._state[number] != _MADE:
            self.wrong += 1
        self._state[number] = _READ
        self.lines += 1
