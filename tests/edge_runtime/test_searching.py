from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fer_edge.box import Box
from fer_edge.detectors import open_detector
from fer_edge.searching import BackgroundSearch, beside
from fer_edge.settings.detectors import DetectorSettings
from fer_edge.settings.loop import TrackerSettings
from fer_edge.sources import open_source
from fer_edge.tracker import Tracker
from fer_edge.types import Track

GRAY, OTHER = np.zeros((100, 200), np.uint8), np.ones((100, 200), np.uint8)
LEFT, RIGHT = Box(0, 0, 50, 50), Box(100, 0, 50, 50)
LONG_S = 30.0


class Gate:
    """A detector that gives its boxes when it is let."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes = list(boxes)
        self.opened = threading.Semaphore(0)
        self.searched: list[npt.NDArray[np.uint8]] = []
        self.entered = threading.Semaphore(0)

    def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
        """Wait, and give them."""
        self.searched.append(gray)
        self.entered.release()
        assert self.opened.acquire(timeout=LONG_S)
        return self.boxes

    def follow(self, gray: npt.NDArray[np.uint8], box: Box) -> Box | None:
        """Nobody asks the one in the background."""
        raise AssertionError


class Near:
    """A detector that follows to boxes that are there, and never searches."""

    def __init__(self, *boxes: Box) -> None:
        self.boxes = list(boxes)

    def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
        """The loop must not wait for a search."""
        raise AssertionError

    def follow(self, gray: npt.NDArray[np.uint8], box: Box) -> Box | None:
        """Give the one nearby."""
        return max((one for one in self.boxes if one.overlap(box) > 0.3), key=box.overlap, default=None)


def collected(search: BackgroundSearch) -> list[Box]:
    """Wait for what the thread finds."""
    done = threading.Event()
    for _ in range(int(LONG_S / 0.01)):
        found = search.collect()
        if found is not None:
            return found
        done.wait(0.01)
    raise AssertionError("nothing was found")


@pytest.fixture
def gate() -> Gate:
    return Gate(LEFT)


@pytest.fixture
def search(gate: Gate) -> Iterator[BackgroundSearch]:
    with closing(BackgroundSearch(gate)) as made:
        yield made
        for _ in range(10):
            gate.opened.release()


def test_the_loop_goes_on_while_a_picture_is_searched(search: BackgroundSearch, gate: Gate) -> None:
    assert search.collect() is None
    search.start(GRAY)
    assert search.busy
    assert search.collect() is None
    # One at a time: the next is not taken.
    search.start(OTHER)
    gate.opened.release()
    assert collected(search) == [LEFT]
    assert search.collect() is None
    assert not search.busy
    assert [picture is GRAY for picture in gate.searched] == [True]
    search.start(OTHER)
    gate.opened.release()
    assert collected(search) == [LEFT]
    assert gate.searched[1] is OTHER


def test_what_fails_in_the_background_fails_in_the_loop() -> None:
    class Broken(Near):
        def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
            raise RuntimeError("broken")

    with closing(BackgroundSearch(Broken())) as search:
        search.start(GRAY)
        with pytest.raises(RuntimeError, match="broken"):
            collected(search)


def test_closing_does_not_wait_for_a_search_that_hangs(gate: Gate) -> None:
    search = BackgroundSearch(gate)
    search.start(GRAY)
    assert gate.entered.acquire(timeout=LONG_S)
    search.close()
    gate.opened.release()


def test_a_new_face_is_taken_over_where_it_is_by_now(search: BackgroundSearch, gate: Gate) -> None:
    moved = Box(10, 0, 50, 50)
    tracker = Tracker(Near(moved), TrackerSettings(), search)
    assert tracker.update(GRAY, 0.0) == ()
    assert tracker.update(GRAY, 0.03) == ()
    gate.opened.release()
    while search._found is None:
        threading.Event().wait(0.01)
    assert tracker.update(GRAY, 0.06) == (Track(1, moved),)
    # The next search is not due yet.
    assert not search.busy
    assert tracker.update(GRAY, 0.09) == (Track(1, moved),)


def test_one_that_has_gone_meanwhile_is_no_face(search: BackgroundSearch, gate: Gate) -> None:
    tracker = Tracker(Near(RIGHT), TrackerSettings(), search)
    tracker.update(GRAY, 0.0)
    gate.opened.release()
    while search._found is None:
        threading.Event().wait(0.01)
    assert tracker.update(GRAY, 0.03) == ()


def test_a_lost_face_is_searched_at_once(search: BackgroundSearch, gate: Gate) -> None:
    near = Near(LEFT)
    tracker = Tracker(near, TrackerSettings(search_frames=1000, search_s=1000), search)
    tracker.update(GRAY, 0.0)
    gate.opened.release()
    while search._found is None:
        threading.Event().wait(0.01)
    for number in range(1, 30):
        assert len(tracker.update(GRAY, number / 30)) == 1
    assert not search.busy
    near.boxes = []
    tracker.update(OTHER, 1.0)
    assert search.busy


def test_only_live_frames_are_searched_beside_the_loop(
    shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = open_source(str(shared_data("photos/skimage_astronaut.png")))
    camera: Any = open_source("0")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})
    with beside(picture, DetectorSettings()) as nothing, beside(camera, DetectorSettings()) as search:
        assert nothing is None
        assert search is not None
        gray = next(iter(picture)).gray
        search.start(gray)
        assert collected(search) == open_detector("haar").detect(gray)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})
    with beside(camera, DetectorSettings()) as alone:
        assert alone is None
