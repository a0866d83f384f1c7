"""What the measured loops are given in place of detectors and cameras."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_bench import loops
from fer_edge.box import Box
from fer_edge.classifier import Classifier
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.types import Frame
from waiting import LONG_S

FACE = Box(20, 20, 60, 60)
NAMES = ("fer-edge", "full-frame", "naive")


def use(monkeypatch: pytest.MonkeyPatch, *detectors: Any) -> None:
    """Put detectors into the loops."""
    made = loops._loops

    def with_others(classifier: Classifier, naive: Classifier, background: Any) -> Any:
        del background
        measured = made(classifier, naive, None)
        for one, detector in zip(measured, detectors, strict=True):
            one.loop.tracker.detector = detector
        return measured

    monkeypatch.setattr(loops, "_loops", with_others)


def naive_boxes(image: npt.NDArray[np.uint8]) -> list[Box]:
    """Search as the notebooks do, in their own few lines."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")  # type: ignore[attr-defined]
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return [Box(*map(int, box)) for box in cascade.detectMultiScale(gray, 1.1, 5, minSize=(60, 60))]


class ScriptedCamera:
    """A camera of 640 x 480 that takes as many pictures as it is told, whose age tells by whom."""

    live = True
    name = "/dev/video0"

    def __init__(self) -> None:
        self.gray = np.zeros((480, 640), np.uint8)
        self.skipped: list[str] = []
        self._changed = threading.Condition()
        self._script = [0]
        self._given = 1
        self._asked = 0
        self._closed = False
        self._age_s = 0

    def __enter__(self) -> ScriptedCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __iter__(self) -> Iterator[Frame]:
        return newest_frames(self.name, self._shot, threading.Event(), LONG_S)

    def stop(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self) -> None:
        """Block until a picture is to be taken."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._script or self._closed, LONG_S)
            self._age_s = self._script.pop(0) if self._script else 0

    def _shot(self) -> Shot:
        self.wait()
        return Shot(self.gray.copy(), time.monotonic_ns() - self._age_s * 10**9, 0.1)

    def shoot(self, pictures: int, age_s: int) -> None:
        """Take pictures, and wait for the last one to be in the slot."""
        with self._changed:
            self._script += [age_s] * pictures
            self._given += pictures
            self._changed.notify_all()
            # It asks for another one when it has put the one before there.
            assert self._changed.wait_for(lambda: self._asked > self._given, LONG_S)
