"""The loop in a thread, as with a camera."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import numpy as np

from fer_edge.box import Box
from fer_edge.classifier import Classifier
from fer_edge.detectors import Detector
from fer_edge.loop import Loop, run
from fer_edge.preprocessing import Pixels
from fer_edge.sinks._outputs import Outputs
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.summary import Summary
from fer_edge.types import Frame, Result
from waiting import LONG_S, wait_until

FRAME_S = 1 / 30


class FixedDetector:
    """Finds one face, always there."""

    def detect(self, gray: Pixels) -> list[Box]:
        """Give it."""
        return [Box(10, 10, 40, 40)]

    def follow(self, gray: Pixels, box: Box) -> Box | None:
        """Give the box as it is."""
        return box


class LiveRun:
    """The loop in a thread, with a camera of 30 frames a second.

    Attributes:
        spent: What it cost to process and hand over each frame, seconds.
    """

    def __init__(self, classifier: Classifier, outputs: Outputs, detector: Detector | None = None) -> None:
        self.summary = Summary()
        self.spent: list[float] = []
        self._pictures: Iterator[Pixels] = self._noise()
        self._outputs = outputs
        self._stop = threading.Event()
        loop = Loop(detector or FixedDetector(), classifier)
        self._thread = threading.Thread(target=self._run, args=(loop,))

    def show(self, pictures: Iterator[Pixels]) -> LiveRun:
        """Let the camera see other pictures."""
        self._pictures = pictures
        return self

    def __enter__(self) -> LiveRun:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Hand over, and take the time."""
        began = time.perf_counter()
        self._outputs.write(result, frame)
        self.spent.append(result.ms.total / 1e3 + time.perf_counter() - began)

    @staticmethod
    def _noise() -> Iterator[Pixels]:
        draw = np.random.default_rng(1)
        while True:
            yield draw.integers(0, 256, (60, 80), np.uint8)

    def _run(self, loop: Loop) -> None:
        def shoot() -> Shot:
            time.sleep(FRAME_S)
            return Shot(next(self._pictures), time.monotonic_ns(), 0.0)

        with closing(newest_frames("camera", shoot, self._stop, LONG_S)) as frames:  # type: ignore[type-var]
            run(frames, loop, [self], self.summary, stop=self._stop)

    def wait_for(self, frames: int) -> None:
        """Wait until so many more were processed, however slowly."""
        first = self.summary.frames + 1
        for goal in range(first, first + frames):
            wait_until(partial(self._has, goal), "a frame: the loop stands still")

    def _has(self, frames: int) -> bool:
        return self.summary.frames >= frames
