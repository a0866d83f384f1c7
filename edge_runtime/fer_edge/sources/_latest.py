"""The newest frame of a live camera, taken by a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec

from fer_edge.errors import SourceError
from fer_edge.preprocessing import Pixels
from fer_edge.types import Frame

_WAIT_S = 0.1
# Every so many pixels in both directions tell whether a picture is the one before; not in every frame, for the loop
# waits meanwhile.
_SPARSE = 7
_LOOKS = 20


class Shot(msgspec.Struct, frozen=True):
    """What a camera gives.

    Attributes:
        image: [H, W, 3] BGR or [H, W] grey, uint8.
        captured_ns: `time.monotonic_ns()` of the capture.
        capture_ms: What fetching and decoding it cost, without the waiting, milliseconds.
        luma: [H, W] uint8, where the camera gives it apart from the picture.
    """

    image: Pixels
    captured_ns: int
    capture_ms: float
    luma: Pixels | None = None


def newest_frames(name: str, shoot: Callable[[], Shot], stop: threading.Event, patience_s: float) -> Iterator[Frame]:
    """Yield the newest frame each time one is asked for; frames in between are overwritten and counted.

    Args:
        name: Of the source.
        shoot: Blocks until the camera's next frame; called from a thread of its own.
        stop: Ends the waiting and the frames.
        patience_s: Seconds without a frame, or with the same one again and again, after which the camera counts as
            lost: some drivers go on giving the last picture of a camera that was unplugged.

    Raises:
        SourceError: The camera fails, or gives nothing new for `patience_s`. It tells what was not taken until then;
            what a camera that hung gives more than a second later counts for nothing.
    """
    slot = _Slot(name, shoot, _Watch(patience_s).look)
    thread = threading.Thread(target=slot.fill, name=f"capture {name}", daemon=True)
    thread.start()
    lost: SourceError | None = None
    try:
        waited, wait_s = 0.0, min(_WAIT_S, patience_s)
        while not stop.is_set():
            frame = slot.take(wait_s)
            if frame is not None:
                waited = 0.0
                yield frame
            elif (waited := waited + wait_s) >= patience_s:
                raise SourceError(f"{name} gave no frame for {patience_s:g} s")
    except SourceError as error:
        lost = error
        raise
    finally:
        slot.end()
        # A camera that hangs in its driver must not keep the program from ending: the thread is a daemon.
        thread.join(timeout=1.0)
        if lost is not None:
            lost.dropped = slot.dropped


def sparse(image: Pixels) -> bytes | None:
    """Give some pixels of a picture, to tell it from another; None for a plain one, which a covered lens gives too."""
    some = image[::_SPARSE, ::_SPARSE]
    return some.tobytes() if some.size and some.min() != some.max() else None


class _Watch:
    """Notices a camera that stands still. Real pictures of the same scene differ, if only by noise."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._last: bytes | None = None
        self._since = self._looked = -patience_s

    def look(self, shot: Shot) -> None:
        """Look at the next picture. Raises `SourceError` where it has been the same for too long."""
        now = time.monotonic()
        if now - self._looked < self._patience_s / _LOOKS:
            return
        self._looked = now
        content = sparse(shot.image)
        if content is None or content != self._last:
            self._last, self._since = content, now
        elif now - self._since >= self._patience_s:
            raise SourceError(f"the same picture for {self._patience_s:g} s; is it still plugged in?")


class _Slot:
    """One frame, written by the camera's thread and taken by the loop's."""

    def __init__(self, name: str, shoot: Callable[[], Shot], look: Callable[[Shot], None]) -> None:
        self._name = name
        self._shoot = shoot
        self._look = look
        self._guard = threading.Lock()
        # Held while there is nothing new. A bare lock wakes the loop sooner than a Condition, which is in Python.
        self._nothing_new = threading.Lock()
        self._nothing_new.acquire()
        self._frame: Frame | None = None
        self._failure: Exception | None = None
        self._dropped = 0
        self._ended = False

    def fill(self) -> None:
        """Put each new frame in the slot until the end or a failure."""
        index = 0
        while not self._ended:
            try:
                shot = self._shoot()
                self._put(shot, index)
                # Not before: the picture counts whatever it is like, and the loop waits for it.
                self._look(shot)
            except Exception as error:  # handed to the loop, which raises it
                self._failure = error
                self._wake()
                return
            index += 1

    @property
    def dropped(self) -> int:
        """Frames that nobody took, with the one in the slot."""
        with self._guard:
            return self._dropped + (self._frame is not None)

    def _put(self, shot: Shot, index: int) -> None:
        now = datetime.now(UTC)
        with self._guard:
            self._dropped += self._frame is not None
            self._frame = Frame(
                index=index,
                source=self._name,
                image=shot.image,
                captured_ns=shot.captured_ns,
                captured_at=now,
                capture_ms=shot.capture_ms,
                at_s=shot.captured_ns / 1e9,
                dropped=self._dropped,
                luma=shot.luma,
            )
        self._wake()

    def _wake(self) -> None:
        # Only this thread ever releases it, so nobody can in between.
        if self._nothing_new.locked():
            self._nothing_new.release()

    def take(self, timeout_s: float) -> Frame | None:
        """Give the newest frame, waiting for one at most `timeout_s`."""
        until = time.monotonic() + timeout_s
        while True:
            with self._guard:
                frame, self._frame = self._frame, None
            if frame is not None:
                return frame
            if self._failure is not None:
                raise SourceError(f"{self._name} failed: {self._failure}") from self._failure
            if not self._nothing_new.acquire(timeout=max(0.0, until - time.monotonic())):
                return None

    def end(self) -> None:
        """Let the thread finish after its next frame."""
        self._ended = True
