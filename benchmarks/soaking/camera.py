"""A live camera that fails in every way, and what it gave."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Self

import numpy as np
import numpy.typing as npt

from fer_edge import self_test
from fer_edge.box import Box
from fer_edge.errors import SourceError
from fer_edge.preprocessing import Pixels
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.types import Frame

RAISES, HANGS, STANDS, UNPLUGGED = "raises", "hangs", "gives the same picture", "is unplugged"
REFUSES = "cannot be opened"
RESIZED, BLACK = "gives another size", "gives black"
LOSSES, PICTURES = (RAISES, HANGS, STANDS, UNPLUGGED), (RESIZED, BLACK)
FINE = "works"

_SIZE, _OTHER_SIZE = (48, 64), (60, 80)
# A picture whose first pixel is bright shows a face; of so many runs of pictures one does. Classifying costs most.
_BRIGHT, _RUN, _RUNS = 255, 32, 8
# The camera gives so many pictures for one that is waited for, so that some are overwritten.
_AHEAD = 1 / 8
# Of so many hangs one outlasts the loop's waiting for the thread.
_LONG = 1 / 500
_TURN_S = 0.02


class Glance:
    """A detector that costs nothing: the picture is a face or not, which its first pixel tells."""

    def detect(self, gray: Pixels) -> list[Box]:
        """Give the whole picture or nothing; see `Detector`."""
        rows, columns = gray.shape
        return [Box(0, 0, columns, rows)] if gray[0, 0] > _BRIGHT // 2 else []

    def follow(self, gray: Pixels, box: Box) -> Box | None:
        """Do the same; see `Detector`."""
        del box
        return next(iter(self.detect(gray)), None)


class Feed:
    """What a camera shows over all the times that it is opened, and what goes wrong.

    Attributes:
        calm: While it is set, nothing goes wrong.
        given: Pictures that the camera gave.
        late: Pictures that came when the camera had been closed: nobody can have them.
        shots: The pictures that nobody has told of yet: time of capture, ns, and what was wrong.
        injected: What went wrong, by kind.
        seen: How connections ended: what was wrong, and what was said of it.
        refused: Openings that failed.
    """

    def __init__(self, faults: float, seed: int, patience_s: float) -> None:
        """Draw the pictures.

        Args:
            faults: Share of pictures with which something goes wrong, of each kind.
            seed: Of what happens when.
            patience_s: Of the loop, seconds: hanging lasts longer.
        """
        self.faults, self.patience_s = faults, patience_s
        self.random = random.Random(seed)
        self.calm = threading.Event()
        self.given = self.late = self.refused = self.refusals = 0
        self.shots: deque[tuple[int, str]] = deque()
        self.injected: Counter[str] = Counter()
        self.seen: Counter[tuple[str, str]] = Counter()
        self._turn = threading.Lock()
        draw = np.random.default_rng(seed)
        self._pictures = {
            (size, bright): [_picture(draw, size, bright) for _ in range(32)]
            for size in (_SIZE, _OTHER_SIZE)
            for bright in (0, _BRIGHT)
        }

    def next(self) -> None:
        """Let the camera give another picture: the loop has done with one."""
        if self._turn.locked():
            self._turn.release()

    def wait(self) -> None:
        """Wait until the loop has done with a picture; not always, and not for long."""
        if self.calm.is_set() or self.random.random() > _AHEAD:
            self._turn.acquire(timeout=_TURN_S)

    def draw(self) -> str:
        """Say what goes wrong with the next picture."""
        if self.calm.is_set():
            return FINE
        place = int(self.random.random() / self.faults) if self.faults else len(LOSSES + PICTURES)
        kind = (*LOSSES, *PICTURES)[place] if place < len(LOSSES + PICTURES) else FINE
        if kind != FINE:
            self.injected[kind] += 1
        return kind

    def picture(self, kind: str) -> npt.NDArray[np.uint8]:
        """Give the next picture, [H, W, 3] uint8, that differs from the one before."""
        if kind == BLACK:
            return np.zeros((*_SIZE, 3), np.uint8)
        bright = 0 if self.given // _RUN % _RUNS else _BRIGHT
        pictures = self._pictures[_OTHER_SIZE if kind == RESIZED else _SIZE, bright]
        return pictures[self.given % len(pictures)]

    def shot(self, image: npt.NDArray[np.uint8], kind: str) -> Shot:
        """Give a picture, and keep in mind that it was given."""
        shot = Shot(image, time.monotonic_ns(), 0.0)
        self.given += 1
        self.shots.append((shot.captured_ns, kind))
        return shot


class Camera:
    """Opens the feed, once: a source."""

    live, name = True, "camera"

    def __init__(self, feed: Feed, stop: threading.Event) -> None:
        self._feed, self._stop = feed, stop
        self.skipped: list[str] = []
        self._closed = threading.Event()
        self._state = FINE
        self._image: npt.NDArray[np.uint8] | None = None

    def __enter__(self) -> Self:
        """Open it. Raises `SourceError` where the feed wants that."""
        if self._feed.refusals:
            self._feed.refusals -= 1
            self._feed.refused += 1
            raise SourceError("no camera")
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._closed.set()

    def __iter__(self) -> Iterator[Frame]:
        """Yield the newest frame. Raises `SourceError`."""
        try:
            yield from newest_frames(self.name, self._shoot, self._stop, self._feed.patience_s)
        except SourceError as error:
            told = next((what for what in ("no frame", "the same picture") if what in str(error)), "failed")
            self._feed.seen[self._state, told] += 1
            raise

    def _shoot(self) -> Shot:
        feed = self._feed
        if self._state == STANDS and self._image is not None:
            time.sleep(feed.patience_s / 4)
            return feed.shot(self._image, STANDS)
        if self._image is not None:
            feed.wait()
        # A thread that the machine lets wait for more than a second outlives its camera: nobody could notice a fault.
        self._state = FINE if self._closed.is_set() else feed.draw()
        if self._state == RAISES:
            raise OSError("the driver says no")
        if self._state == UNPLUGGED:
            feed.refusals = feed.random.randint(1, 3)
            feed.injected[REFUSES] += feed.refusals
            raise SourceError("it was unplugged")
        if self._state == HANGS:
            self._hang()
        self._image = feed.picture(self._state)
        if self._closed.is_set():
            feed.late += 1
            return Shot(self._image, time.monotonic_ns(), 0.0)
        return feed.shot(self._image, self._state)

    def _hang(self) -> None:
        if self._feed.random.random() >= _LONG:
            time.sleep(2.5 * self._feed.patience_s)
        elif self._closed.wait(60.0):
            time.sleep(0.1)


def _picture(draw: np.random.Generator, size: tuple[int, int], bright: int) -> npt.NDArray[np.uint8]:
    face = self_test.face(int(draw.integers(1, 1000)), *size).astype(np.int16)
    image = np.repeat(np.clip(face + draw.integers(-8, 9, size), 0, 250)[..., np.newaxis], 3, axis=2).astype(np.uint8)
    image[0, 0] = bright
    return image
