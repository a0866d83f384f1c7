"""Pictures of clients through the pipeline of the loop, in one thread for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from fer_edge.classifier import Classifier
from fer_edge.detectors import Detector
from fer_edge.loop import Loop
from fer_edge.settings.loop import LoopSettings
from fer_edge.sources._moment import Moment
from fer_edge.types import Result
from fer_edge.web import pictures
from fer_edge.web.worker import BusyError, Worker

# Answers to single pictures that are waited for beside those to browsers' cameras.
_SINGLE = 4


class Stages(NamedTuple):
    """What looks at pictures. Neither may be used by two threads at a time."""

    detector: Detector
    classifier: Classifier


class Looked(NamedTuple):
    """What was seen in a picture, and its width and height, pixels."""

    result: Result
    size: tuple[int, int]


class Session:
    """Pictures that belong together: faces keep their numbers, probabilities are smoothed."""

    def __init__(self) -> None:
        """Begin without a picture."""
        self.loop: Loop | None = None
        self.frames = 0


class Inference:
    """Looks at pictures, one after the other.

    Attributes:
        looked: Number of those that were looked at.
    """

    def __init__(
        self, stages: Callable[[], Stages], settings: LoopSettings, *, sessions: int = 0, single: int = _SINGLE
    ) -> None:
        """Look at nothing yet.

        Args:
            stages: Gives those to use; called in the thread for each picture, so that it can load or replace them.
            settings: Of the loop.
            sessions: Number of sessions at most.
            single: Pictures of their own that may wait at most.
        """
        self._stages, self._settings, self._single = stages, settings, single
        self._waiting = self.looked = 0
        self._worker = Worker("inference", sessions + single)

    async def one(self, content: bytes) -> Looked:
        """Look at a picture that belongs to none before.

        Raises:
            BusyError: Too many wait.
            SourceError: It cannot be decoded.
            FerError: There is no model to look at it with.
        """
        if self._waiting >= self._single:
            raise BusyError
        self._waiting += 1
        try:
            return await self._worker.do(self._look, content, None, Moment())
        finally:
            self._waiting -= 1

    async def next(self, content: bytes, session: Session) -> Looked:
        """Look at the next picture of a session; raises what `one` does."""
        return await self._worker.do(self._look, content, session, Moment())

    def end(self) -> None:
        """Take no more."""
        self._worker.end()

    def join(self, within_s: float) -> None:
        """Wait for the picture at hand, for so many seconds at most."""
        self._worker.join(within_s)

    def _look(self, content: bytes, session: Session | None, moment: Moment) -> Looked:
        began_s = time.monotonic()
        image = pictures.gray(content)
        stages = self._stages()
        if session is None:
            loop, index, name, at_s = Loop(*stages, self._settings), 0, "upload", None
        else:
            loop = session.loop = session.loop or Loop(*stages, self._settings)
            index, name, at_s = session.frames, "browser", began_s
            session.frames += 1
        result = loop.process(moment.frame(index, name, image, at_s))
        self.looked += 1
        return Looked(result, (image.shape[1], image.shape[0]))
