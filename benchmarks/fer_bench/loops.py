"""Whole loops on one source in the same run: the product's own beside simpler ones."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import chain
from math import ceil

import cv2
import numpy as np
from msgspec import structs

from fer_bench import results, statistics
from fer_edge.box import Box
from fer_edge.classifier import Classifier
from fer_edge.command import warn
from fer_edge.detectors import open_detector
from fer_edge.detectors.haar import HaarDetector
from fer_edge.errors import SourceError
from fer_edge.loop import Loop
from fer_edge.preprocessing import Pixels
from fer_edge.searching import BackgroundSearch, beside
from fer_edge.settings.detectors import DetectorSettings, HaarSettings
from fer_edge.settings.loop import LoopSettings, TrackerSettings
from fer_edge.sources import open_source
from fer_edge.types import Frame, Result, StageTimes

# The whole picture in every frame, no face that is not seen, each frame for itself.
EVERY_FRAME = LoopSettings(tracker=TrackerSettings(search_frames=1, patience_s=0.0), smoothing_s=0.0)
_DETECTOR = DetectorSettings()
_STAGES = (*StageTimes.__struct_fields__, "age")
_CAPTURE, _DETECT, _TOTAL = map(_STAGES.index, ("capture", "detect", "total"))
# On a live source: the most seconds of a turn, and as few turns of each loop as an interval can be made of.
_TURN_S = 2.0
_LEAST_TURNS = 5
# No measurement goes on for longer than the larger of the two: a picture may take a loop many seconds.
_LONGEST = 10
_LONGEST_S = 60.0


_SMALLEST = 60


class FullSizeDetector(HaarDetector):
    """Searches as the published notebooks do: the picture in its full size, scale factor 1.1, faces from 60 x 60."""

    def detect(self, gray: Pixels) -> list[Box]:
        """Give the faces in a picture; see `Detector`."""
        # The settings are relative to the picture, and those of a folder differ in size.
        smallest = min(1.0, _SMALLEST / min(gray.shape))
        self.settings = HaarSettings(scale_factor=1.1, neighbors=5, smallest=smallest, working_width=gray.shape[1])
        return super().detect(gray)


class NotebookLoop(Loop):
    """The loop of the published notebooks: grey from the whole picture, then that search."""

    def __init__(self, classifier: Classifier) -> None:
        """Join the stages."""
        super().__init__(FullSizeDetector(), classifier, EVERY_FRAME)

    def process(self, frame: Frame) -> Result:
        """Process a frame as if the camera gave no luma."""
        return super().process(structs.replace(frame, luma=None))


@dataclass
class _Measured:
    """A loop, and what was measured of it: by round, the stages of each frame in the order of `_STAGES`."""

    name: str
    what: str
    loop: Loop
    rounds: list[list[tuple[float, ...]]] = field(default_factory=list)
    faces: int = 0
    dropped: int = 0

    @property
    def frames(self) -> int:
        return sum(map(len, self.rounds))

    @property
    def times(self) -> statistics.Values:
        """[frames, stages] Milliseconds."""
        return np.array(list(chain.from_iterable(self.rounds)))

    @property
    def totals(self) -> statistics.Values:
        """[rounds] The median total of each round, milliseconds."""
        return np.array([np.median([times[_TOTAL] for times in one]) for one in self.rounds])

    def process(self, frame: Frame) -> None:
        """Process a frame of the newest round."""
        result = self.loop.process(frame)
        self.rounds[-1].append((*structs.astuple(result.ms), result.age_ms))
        self.faces += len(result.faces)

    def summary(self, reference: _Measured, search_ms: float, seed: int) -> results.Loop:
        times = self.times
        work = times[:, _TOTAL] - times[:, _CAPTURE]
        median, worst = np.percentile(work, (50, 99), method="inverted_cdf")
        ranked = np.percentile(times, (50, 90, 99, 100), axis=0, method="inverted_cdf").T.tolist()
        stages = {
            name: results.Stage(p50=p50, p90=p90, p99=p99, maximum=maximum)
            for name, (p50, p90, p99, maximum) in zip(_STAGES, ranked, strict=True)
        }
        same = self is reference
        return results.Loop(
            name=self.name,
            what=self.what,
            frames=self.frames,
            faces=self.faces,
            dropped=self.dropped,
            frames_per_second=1000 * self.frames / float(times[:, _TOTAL].sum()),
            stages=stages,
            of_search=results.Shares(
                p50=float(median / search_ms), mean=float(work.mean() / search_ms), p99=float(worst / search_ms)
            ),
            ratio=None if same else statistics.ratio(self.totals, reference.totals, reference.name, seed),
        )


class _Effort:
    """Tells how far the measuring has come, and when it is enough."""

    def __init__(self, frames: int, seconds: float, step: Callable[[int], object]) -> None:
        self.frames = frames
        self._seconds = seconds
        self._longest = max(_LONGEST_S, _LONGEST * seconds)
        self._step = step
        self._told = 0
        self._began = time.monotonic()

    def is_enough(self, share: float) -> bool:
        """Take the share of what has to be measured, 0..1 or more, and step on by what that is in frames."""
        passed = time.monotonic() - self._began
        if self._seconds:
            share = min(share, passed / self._seconds)
        share = min(1.0, max(share, passed / self._longest))
        told = int(share * self.frames)
        self._step(told - self._told)
        self._told = told
        return share == 1


def measure(
    source: str,
    classifier: Classifier,
    title: str,
    naive: Classifier | None = None,
    *,
    frames: int,
    seconds: float,
    seed: int,
    step: Callable[[int], object],
) -> results.Loops:
    """Measure three loops on a source.

    "fer-edge" is what `fer-edge run` does. "full-frame" searches each whole picture as the published notebooks do.
    "naive" is `NotebookLoop`. A tracker is in all of them; it costs microseconds. OpenCV gets as many threads as the
    classifier's interpreter.

    A source that waits gives every frame to every loop, in an order drawn anew for each frame, and is begun anew where
    it ends. No frame is dropped, and its age is what fetching it and the loop itself took. On a live source the loops
    take turns of two seconds at most, in an order drawn anew for each round; ages and drops are the source's own.

    Args:
        source: As for `fer-edge run --source`.
        classifier: Of the loops.
        title: Of the classifier's model.
        naive: Classifier of the naive loop; None for the same.
        frames: Of each loop, at least; 1 or more.
        seconds: For all loops together, at least. Ten times as long, or a minute where that is longer, is the most.
        seed: Of the order and of the bootstrap.
        step: Called with numbers that sum to `frames`, for a progress bar.

    Raises:
        UsageError: There is no such source.
        SourceError: It cannot be opened or read, or is live and ends.
        FerError: A loop fails.
    """
    opened = open_source(source)
    # What waits for the loop can be begun anew.
    waits = not opened.live
    with (
        _opencv_threads(classifier.interpreter.threads),
        beside(opened, _DETECTOR) as background,
        closing(_frames(source, waits)) as given,
    ):
        measured = _loops(classifier, naive or classifier, background)
        first = next(given)
        for one in measured:
            one.loop.process(first)
        effort, order = _Effort(frames, seconds, step), random.Random(seed)
        if waits:
            _frame_by_frame(chain((first,), given), measured, effort, order)
        else:
            _by_turns(given, measured, effort, order)
    search_ms = float(np.median(measured[1].times[:, _DETECT]))
    return results.Loops(
        source=source,
        model=title,
        search_ms=search_ms,
        size=(first.image.shape[1], first.image.shape[0]),
        loops=tuple(one.summary(measured[0], search_ms, seed) for one in measured),
    )


@contextmanager
def _opencv_threads(number: int) -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(number)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _loops(
    classifier: Classifier, naive: Classifier, background: BackgroundSearch | None
) -> tuple[_Measured, _Measured, _Measured]:
    """Make the loops, the product's first."""
    search = f"full size, scale factor 1.1, 5 neighbours, faces from {_SMALLEST} x {_SMALLEST} pixels"
    spec = naive.metadata.input
    return (
        _Measured(
            "fer-edge",
            "what fer-edge run does",
            Loop(open_detector(_DETECTOR.name, _DETECTOR), classifier, background=background),
        ),
        _Measured(
            "full-frame",
            f"the whole picture searched in every frame, {search}",
            Loop(FullSizeDetector(), classifier, EVERY_FRAME),
        ),
        _Measured(
            "naive",
            f"that search in the picture in colour made grey, classified by {naive.metadata.name}, "
            f"{spec.width} x {spec.height}",
            NotebookLoop(naive),
        ),
    )


def _frames(source: str, again: bool) -> Generator[Frame, None, None]:
    """Yield the frames of a source, `again` and again, and warn of what it skips."""
    told: set[str] = set()
    while True:
        opened = open_source(source)
        try:
            with opened:
                yield from opened
        finally:
            for reason in opened.skipped:
                if reason not in told:
                    warn(f"skipped: {reason}")
                told.add(reason)
        if not again:
            raise SourceError(f"{opened.name} ended before the loops were measured")


def _frame_by_frame(
    frames: Iterator[Frame], measured: tuple[_Measured, ...], effort: _Effort, order: random.Random
) -> None:
    for done, frame in enumerate(frames, start=1):
        for one in order.sample(measured, len(measured)):
            one.rounds.append([])
            # A copy for each, without the grey picture that another made, and as old as if fetched for this one alone.
            fetched = time.monotonic_ns() - round(1e6 * frame.capture_ms)
            one.process(structs.replace(frame, captured_ns=fetched))
        if effort.is_enough(done / effort.frames):
            return


def _by_turns(frames: Iterator[Frame], measured: tuple[_Measured, ...], effort: _Effort, order: random.Random) -> None:
    frame, turns = next(frames), 0
    while True:
        for one in order.sample(measured, len(measured)):
            frame = _turn(one, frame, frames, ceil(effort.frames / _LEAST_TURNS))
        turns += 1
        if effort.is_enough(min(turns / _LEAST_TURNS, min(one.frames for one in measured) / effort.frames)):
            return


def _turn(one: _Measured, frame: Frame, frames: Iterator[Frame], most: int) -> Frame:
    """Give a loop its turn, and the frame after it to the next loop, for that frame tells of the last drops."""
    before, end = frame.dropped, time.monotonic() + _TURN_S
    # It may have waited for the loop before.
    one.loop.process(frame)
    one.rounds.append([])
    while True:
        frame = next(frames)
        had = len(one.rounds[-1])
        if had == most or (had and time.monotonic() >= end):
            one.dropped += frame.dropped - before
            return frame
        one.process(frame)
