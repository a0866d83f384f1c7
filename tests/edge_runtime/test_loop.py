from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from math import exp
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fer_edge.box import Box
from fer_edge.classifier import Classifier
from fer_edge.detectors import open_detector
from fer_edge.errors import FerError
from fer_edge.loop import Loop, run
from fer_edge.settings.loop import LoopSettings
from fer_edge.sources import open_source
from fer_edge.summary import Summary
from fer_edge.types import Frame, Result


class FixedDetector:
    """Finds the boxes it was made with."""

    def __init__(self, *boxes: Box) -> None:
        self._boxes = list(boxes)

    def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
        """Give them."""
        assert gray.ndim == 2
        return self._boxes

    def follow(self, gray: npt.NDArray[np.uint8], box: Box) -> Box | None:
        """Give the box as it is."""
        assert gray.ndim == 2
        return box


class Kept:
    """Keeps the results, and fails on one if told."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.results: list[Result] = []
        self._fails_at = fails_at

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Keep one."""
        assert frame is not None
        assert frame.index == result.frame
        if result.frame == self._fails_at:
            raise FerError("the sink is full")
        self.results.append(result)


@pytest.fixture
def loop(classifier: Classifier) -> Loop:
    return Loop(FixedDetector(Box(10, 10, 30, 30), Box(45, 5, 30, 40)), classifier)


def test_one_frame(loop: Loop, classifier: Classifier, make_frame: Callable[..., Frame]) -> None:
    frame = make_frame(index=7, image=np.random.default_rng(1).integers(0, 256, (60, 80), dtype=np.uint8), dropped=3)
    result = loop.process(frame)
    assert (result.frame, result.time, result.source, result.dropped) == (7, frame.captured_at, "test", 3)
    assert [(face.track, face.box) for face in result.faces] == [(1, Box(10, 10, 30, 30)), (2, Box(45, 5, 30, 40))]
    for face in result.faces:
        assert face.probabilities == classifier.classify(frame.gray, face.box)
        assert face.confidence == max(face.probabilities.values())
    assert result.ms.capture == 0.5
    assert result.ms.total == pytest.approx(0.5 + result.ms.detect + result.ms.classify)
    # Captured at the start of the monotonic clock, so as old as the machine.
    assert result.age_ms > result.ms.total


def test_tracks_go_on_from_frame_to_frame(loop: Loop, make_frame: Callable[..., Frame]) -> None:
    tracks = [[face.track for face in loop.process(make_frame(index)).faces] for index in range(3)]
    assert tracks == [[1, 2]] * 3


def test_what_is_said_of_a_face_is_smoothed_over_time(classifier: Classifier, make_frame: Callable[..., Frame]) -> None:
    dark, noise = np.zeros((60, 80), np.uint8), np.random.default_rng(1).integers(0, 256, (60, 80), dtype=np.uint8)
    detector = FixedDetector(Box(10, 10, 40, 40))
    smooth = Loop(detector, classifier, LoopSettings(smoothing_s=0.1, raw=True))
    (first,), (second,) = (smooth.process(make_frame(n, image=image)).faces for n, image in enumerate((dark, noise)))
    assert first.probabilities == first.raw
    assert first.raw is not None
    assert second.raw == classifier.classify(noise, Box(10, 10, 40, 40))
    kept = exp(-(1 / 30) / 0.1)
    for label, value in second.probabilities.items():
        assert second.raw is not None
        assert value == pytest.approx(kept * first.raw[label] + (1 - kept) * second.raw[label])
    plain = Loop(detector, classifier, LoopSettings(smoothing_s=0))
    (_, (after,)) = (plain.process(make_frame(n, image=image)).faces for n, image in enumerate((dark, noise)))
    assert after.probabilities == second.raw
    assert after.raw is None


def test_what_is_not_sure_enough_is_uncertain(classifier: Classifier, make_frame: Callable[..., Frame]) -> None:
    detector = FixedDetector(Box(10, 10, 40, 40))
    (sure,) = Loop(detector, classifier).process(make_frame()).faces
    assert sure.expression == sure.label == max(sure.probabilities, key=sure.probabilities.__getitem__)
    least = LoopSettings(min_confidence=sure.confidence)
    assert Loop(detector, classifier, least).process(make_frame()).faces[0].expression == sure.label
    more = LoopSettings(min_confidence=sure.confidence + 1e-6)
    (unsure,) = Loop(detector, classifier, more).process(make_frame()).faces
    assert (unsure.expression, unsure.label, unsure.confidence) == ("uncertain", sure.label, sure.confidence)


def endless(make_frame: Callable[..., Frame]) -> Iterator[Frame]:
    return (make_frame(index) for index in itertools.count())


@pytest.mark.parametrize("limit", [0, 1, 5])
def test_the_limit(loop: Loop, make_frame: Callable[..., Frame], limit: int) -> None:
    kept, summary, frames = Kept(), Summary(), endless(make_frame)
    run(frames, loop, [kept], summary, limit=limit)
    assert [result.frame for result in kept.results] == list(range(limit))
    assert (summary.frames, summary.faces) == (limit, 2 * limit)
    # No frame was fetched that nobody wanted.
    assert next(frames).index == limit


def test_the_end_of_the_source(loop: Loop, make_frame: Callable[..., Frame]) -> None:
    first, second, summary = Kept(), Kept(), Summary()
    run([make_frame(0), make_frame(1, dropped=4)], loop, [first, second], summary, limit=10)
    assert first.results == second.results
    assert (len(first.results), summary.frames, summary.dropped) == (2, 2, 4)
    assert summary.seconds > 0


def test_stop_ends_it_after_the_frame_at_hand(loop: Loop, make_frame: Callable[..., Frame]) -> None:
    stop, kept, summary = threading.Event(), Kept(), Summary()

    def frames() -> Iterator[Frame]:
        for frame in endless(make_frame):
            if frame.index == 3:
                stop.set()
            yield frame

    run(frames(), loop, [kept], summary, stop=stop)
    assert [result.frame for result in kept.results] == [0, 1, 2]
    assert summary.frames == 3


def test_the_summary_is_whole_where_a_sink_fails(loop: Loop, make_frame: Callable[..., Frame]) -> None:
    kept, summary = Kept(fails_at=2), Summary()
    with pytest.raises(FerError, match="the sink is full"):
        run(endless(make_frame), loop, [kept], summary)
    assert (summary.frames, summary.faces) == (3, 6)
    assert summary.seconds > 0


def test_the_summary_is_whole_where_the_source_fails(loop: Loop, make_frame: Callable[..., Frame]) -> None:
    def frames() -> Iterator[Frame]:
        yield make_frame(0)
        raise FerError("the camera is gone")

    summary = Summary()
    with pytest.raises(FerError, match="the camera is gone"):
        run(frames(), loop, [], summary)
    assert summary.frames == 1
    assert summary.seconds > 0


def test_a_real_video_with_a_real_detector(shared_data: Callable[[str], Path], classifier: Classifier) -> None:
    kept, summary = Kept(), Summary()
    with open_source(str(shared_data("video/single_face.mp4"))) as source:
        run(source, Loop(open_detector("haar"), classifier), [kept], summary, limit=20)
    assert [result.frame for result in kept.results] == list(range(20))
    # One man, followed all along.
    assert {tuple(face.track for face in result.faces) for result in kept.results} == {(1,)}


def test_the_first_frame_is_searched_before_the_model_is_needed(
    classifier: Classifier, make_frame: Callable[..., Frame]
) -> None:
    done: list[str] = []

    class Recording(FixedDetector):
        def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
            done.append("searched")
            return super().detect(gray)

    def load() -> Classifier:
        done.append("loaded")
        return classifier

    loop = Loop(Recording(), load)
    for index in range(2):
        loop.process(make_frame(index=index))
    assert done == ["searched", "loaded", "searched"]


def test_a_model_that_cannot_be_loaded_is_told_although_nobody_is_there(make_frame: Callable[..., Frame]) -> None:
    def load() -> Classifier:
        raise FerError("the model is damaged")

    with pytest.raises(FerError, match="the model is damaged"):
        Loop(FixedDetector(), load).process(make_frame())
