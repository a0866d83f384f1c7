"""A camera or stream that is opened again where it is lost."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol, Self

import msgspec

from fer_edge.command import warn
from fer_edge.errors import CameraLostError, SourceError
from fer_edge.settings.cameras import ReconnectSettings
from fer_edge.sources import Source
from fer_edge.sources._latest import sparse
from fer_edge.types import Frame

# Between two looks whether the program is to end, and between two signs of life.
_TICK_S = 0.25


class Attendant(Protocol):
    """Is told how it goes; see `supervision.Supervisor`."""

    def camera_lost(self, reason: str) -> None:
        """There are no frames for now, and why."""
        ...

    def camera_found(self, seconds: float) -> None:
        """There are frames again, after so long."""
        ...

    def still_waiting(self) -> None:
        """The loop lives, though no frame comes; called several times a second, in the loop's thread."""
        ...


class ReconnectingSource:
    """Yields the frames of a live source, whatever becomes of it in between; their numbers and drops go on."""

    live = True
    name: str

    def __init__(
        self,
        make: Callable[[], Source],
        settings: ReconnectSettings,
        stop: threading.Event,
        attendant: Attendant,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Make the source; open nothing yet.

        Args:
            make: Makes the live source anew.
            settings: How long and how often.
            stop: Ends waiting and frames.
            attendant: Is told.
            draw: Gives numbers in [0, 1): several devices shall not all come back at the same moment.
        """
        self._make, self._settings, self._stop = make, settings, stop
        self._attendant, self._draw = attendant, draw
        self._source = make()
        self.name = self._source.name
        self._open = False
        self._missing: SourceError | None = None
        self._loss: _Loss | None = None
        self.skipped: list[str] = []

    def __enter__(self) -> Self:
        """Open the source. Raises `SourceError` where that fails and it is not waited for, with the first frame."""
        try:
            self._source.__enter__()
            self._open, self.name = True, self._source.name
        except SourceError as error:
            if not self._settings.at_start:
                raise
            self._missing = error
        return self

    def __exit__(self, *_: object) -> None:
        """Release the source."""
        if self._open:
            self._open = False
            self._source.__exit__(None, None, None)

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until `stop`. Raises `CameraLostError` where the source is lost for too long."""
        # What came before the present connection.
        first = dropped = 0
        if self._missing is not None:
            self._reopen(self._missing)
        while self._open:
            index, lost = first - 1, dropped
            try:
                for frame in self._source:
                    index, lost = first + frame.index, dropped + frame.dropped
                    if self._loss is not None and self._loss.is_over(frame):
                        self._attendant.camera_found(self._loss.seconds)
                        self._loss = None
                    yield msgspec.structs.replace(frame, index=index, dropped=lost) if first or dropped else frame
                return
            except SourceError as error:
                if not self._settings.give_up_s:
                    raise
                # Those that were overwritten after the last one that was taken, and what came too late.
                unseen = max(0, dropped + error.dropped - lost)
                first, dropped = index + 1 + unseen, lost + unseen
                self._close()
                self._reopen(error)

    def _close(self) -> None:
        self._open = False
        try:
            self._source.__exit__(None, None, None)
        except Exception as error:  # a camera that is gone cannot always be closed; what its library raises is its own
            warn(f"{self.name} could not be closed: {error}")

    def _reopen(self, reason: SourceError) -> None:
        """Open the source again and again; where `stop` is set it stays closed."""
        if self._loss is None:
            self._loss = _Loss(self._settings.pause_s)
            self._attendant.camera_lost(str(reason))
        loss = self._loss
        while not self._stop.is_set():
            left_s = self._settings.give_up_s - loss.seconds
            if left_s <= 0:
                raise CameraLostError(
                    f"{self.name} was away for {self._settings.give_up_s:g} s (source.reconnect.give_up_s): {reason}"
                ) from reason
            self._wait(min(left_s, loss.pause_s * (1 - self._draw() / 2)))
            loss.pause_s = min(2 * loss.pause_s, self._settings.max_pause_s)
            if self._stop.is_set():
                return
            source = self._make()
            try:
                source.__enter__()
            except SourceError as error:
                reason = error
                continue
            self._source, self._open, self.name = source, True, source.name
            loss.first = None
            return

    def _wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self._attendant.still_waiting()
            left_s = end - time.monotonic()
            if left_s <= 0 or self._stop.wait(min(_TICK_S, left_s)):
                return


class _Loss:
    """A time without a camera, however often it could be opened: only a picture that changes ends it.

    Attributes:
        pause_s: Before the next attempt, seconds.
        first: The first picture since it was opened; None while there was none.
    """

    def __init__(self, pause_s: float) -> None:
        self.pause_s = pause_s
        self.first: bytes | None = None
        self._began_s = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return time.monotonic() - self._began_s

    def is_over(self, frame: Frame) -> bool:
        """Tell a camera that works from one that gives its last picture again and again."""
        content = sparse(frame.image)
        if content is None:
            return True
        self.first = self.first or content
        return content != self.first
