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
        SourceError: The camera fails, or gives nothing new for `patience_s`.
    """
    slot = _Slot(name, _Watched(shoot, patience_s).shoot)
    thread = threading.Thread(target=slot.fill, name=f"capture {name}", daemon=True)
    thread.start()
    try:
        waited = 0.0
        while not stop.is_set():
            frame = slot.take(_WAIT_S)
            if frame is not None:
                waited = 0.0
                yield frame
            elif (waited := waited + _WAIT_S) >= patience_s:
                raise SourceError(f"{name} gave no frame for {patience_s:.0f} s")
    finally:
        slot.end()
        # A camera that hangs in its driver must not keep the program from ending: the thread is a daemon.
        thread.join(timeout=1.0)


class _Watched:
    """Notices a camera that stands still. Real pictures of the same scene differ, if only by noise."""

    def __init__(self, shoot: Callable[[], Shot], patience_s: float) -> None:
        self._shoot = shoot
        self._patience_s = patience_s
        self._last: bytes | None = None
        self._since = self._looked = -patience_s

    def shoot(self) -> Shot:
        shot = self._shoot()
        now = time.monotonic()
        if now - self._looked < self._patience_s / _LOOKS:
            return shot
        self._looked = now
        some = shot.image[::_SPARSE, ::_SPARSE]
        # A covered lens gives plain black: that is no sign of anything.
        content = some.tobytes() if some.size and some.min() != some.max() else None
        if content is None or content != self._last:
            self._last, self._since = content, now
        elif now - self._since >= self._patience_s:
            raise SourceError(f"the same picture for {self._patience_s:.0f} s; is it still plugged in?")
        return shot


class _Slot:
    """One frame, written by the camera's thread and taken by the loop's."""

    def __init__(self, name: str, shoot: Callable[[], Shot]) -> None:
        self._name = name
        self._shoot = shoot
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
            except Exception as error:  # handed to the loop, which raises it
                self._failure = error
                self._wake()
                return
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
            index += 1

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
