"""The loop: frame, faces, tracks, probabilities, result."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from fer_edge.detectors import Detector
from fer_edge.searching import BackgroundSearch
from fer_edge.settings.loop import LoopSettings
from fer_edge.sinks import Writer
from fer_edge.smoothing import Smoother
from fer_edge.summary import Summary
from fer_edge.tracker import Tracker
from fer_edge.types import BoardState, Face, Frame, Result, StageTimes, Track

if TYPE_CHECKING:  # importing it takes as long as the first search
    from fer_edge.classifier import Classifier


class Loop:
    """Turns frames into results, one at a time.

    Attributes:
        board: How the board is, for the results.

    Example:
        >>> loop = Loop(open_detector("haar"), Classifier.load(shipped_model()))
        >>> with open_source("demo") as source:
        ...     for frame in source:
        ...         print(loop.process(frame).faces)
    """

    def __init__(
        self,
        detector: Detector,
        classifier: Classifier | Callable[[], Classifier],
        settings: LoopSettings | None = None,
        background: BackgroundSearch | None = None,
    ) -> None:
        """Join the stages.

        Args:
            detector: Finds faces.
            classifier: Names their expressions. Or what gives it: called when the first frame has been searched, which
                needs no model yet.
            settings: What happens in between.
            background: See `Tracker`.
        """
        self._classifier = classifier
        self.board: BoardState | None = None
        self.settings = settings or LoopSettings()
        self.tracker = Tracker(detector, self.settings.tracker, background)
        self.smoother = Smoother(self.settings.smoothing_s)

    def renew(
        self,
        classifier: Classifier,
        settings: LoopSettings,
        detector: Detector | None = None,
        background: BackgroundSearch | None = None,
    ) -> None:
        """Go on with other stages from the next frame on; faces keep their numbers.

        Args:
            classifier: See above.
            settings: See above.
            detector: None for the same as before.
            background: The same.
        """
        self._classifier, self.settings = classifier, settings
        self.tracker.renew(settings.tracker, detector, background)
        self.smoother = Smoother(settings.smoothing_s)

    def process(self, frame: Frame) -> Result:
        """Find, follow and classify all faces of a frame."""
        taken = time.perf_counter_ns()
        tracks = self.tracker.update(frame.gray, frame.at_s)
        found = time.perf_counter_ns()
        if callable(self._classifier):
            self._classifier = self._classifier()
        classifier = self._classifier
        faces = tuple(self._face(frame, track, classifier) for track in tracks)
        self.smoother.forget_all_but([track.number for track in tracks])
        done = time.perf_counter_ns()
        return Result(
            frame=frame.index,
            time=frame.captured_at,
            source=frame.source,
            age_ms=(time.monotonic_ns() - frame.captured_ns) / 1e6,
            dropped=frame.dropped,
            faces=faces,
            ms=StageTimes(
                capture=frame.capture_ms,
                detect=(found - taken) / 1e6,
                classify=(done - found) / 1e6,
                total=frame.capture_ms + (done - taken) / 1e6,
            ),
            board=self.board,
        )

    def _face(self, frame: Frame, track: Track, classifier: Classifier) -> Face:
        raw = classifier.classify(frame.gray, track.box)
        return Face(
            track.number,
            track.box,
            self.smoother.smooth(track.number, raw, frame.at_s),
            raw if self.settings.raw else None,
            self.settings.min_confidence,
        )


def run(
    frames: Iterable[Frame],
    loop: Loop,
    sinks: Sequence[Writer],
    summary: Summary,
    *,
    limit: int | None = None,
    stop: threading.Event | None = None,
    between: Callable[[Result], object] = lambda _: None,
) -> None:
    """Run the loop until the frames end, the limit is reached or `stop` is set.

    Args:
        frames: From a source.
        loop: The stages.
        sinks: Take each result in turn, with its frame.
        summary: Counts each result; complete even where this raises.
        limit: Frames to process at most.
        stop: Ends the loop after the frame at hand.
        between: Called after each frame, when its result is out.

    Raises:
        FerError: The source or a sink fails.
    """
    with summary:
        if limit == 0:
            return
        for number, frame in enumerate(frames, start=1):
            if stop is not None and stop.is_set():
                return
            result = loop.process(frame)
            summary.add(result)
            for sink in sinks:
                sink.write(result, frame)
            between(result)
            if number == limit:
                return
