"""The books of a soak: each picture and each result, and what is made to go wrong by the loop's thread."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter

from fer_edge.supervision.reloading import Reloader
from fer_edge.types import Frame, Result
from soaking.camera import BLACK, RESIZED, Feed
from soaking.disk import Disk
from soaking.measuring import Held, held
from soaking.outputs import Log

# Before it is measured nothing goes wrong for so many frames.
_CALM = 300
_LINES = 20
# A reload in so many frames: each loads and tests the model.
_RELOAD = 100_000


class Told:
    """Takes the lines for people, and counts what they tell."""

    _WHAT = {
        "no camera, it is opened again": "lost",
        "the camera is there again": "found",
        "configuration and model are renewed": "renewed",
        "the new configuration is refused": "refused",
    }

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.others: Counter[str] = Counter()

    def __call__(self, line: str) -> None:
        """Take a line."""
        for beginning, what in self._WHAT.items():
            if line.startswith(beginning):
                self.count[what] += 1
                return
        self.others[line.partition(",")[0].partition(":")[0]] += 1


class Books:
    """Takes each result as an output does, in the loop's thread.

    Attributes:
        results: Number of results.
        dropped: What they tell of pictures that nobody took.
        processed: Pictures that became results, by what was wrong with them.
        lost: Those that did not.
        counted: Those of them that `dropped` tells of at once.
        wrong: What does not add up, in words; the first of them.
        filled: How often the disk was filled.
        asked: How often a reload was asked for.
        moments: What the process held, by when.
    """

    def __init__(
        self,
        frames: int,
        warm_up: int,
        seed: int,
        feed: Feed,
        disk: Disk,
        log: Log,
        reloader: Reloader,
        stop: threading.Event,
    ) -> None:
        """Join what goes wrong.

        Args:
            frames: After which it ends, when a reload that was asked for has been done.
            warm_up: Those of them before the first measurement.
            seed: Of what happens when.
            feed: Of the camera.
            disk: Is filled.
            log: Is taken away.
            reloader: Is asked.
            stop: Set at the end.
        """
        self._frames, self._warm_up, self._calm_frames = frames, warm_up, min(_CALM, warm_up // 2)
        self._feed, self._disk, self._log, self._reloader, self._stop = feed, disk, log, reloader, stop
        self._random = random.Random(seed)
        reloads = max(3, frames // _RELOAD)
        step = (frames - warm_up) // reloads
        # The first belongs to the warm-up.
        self._reload_at = [warm_up // 4, *(warm_up + step // 2 + step * number for number in range(reloads))]
        self._full_for = 0
        self._began_s = time.monotonic()
        self.results = self.dropped = self.filled = self.asked = 0
        self.processed: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.counted: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.moments: dict[str, Held] = {}

    def note(self, what: str) -> None:
        """Keep in mind what does not add up."""
        if len(self.wrong) < _LINES:
            self.wrong.append(what)

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Take a result; see `Writer`."""
        assert frame is not None
        self._account(result, frame)
        self._log.made(result)
        self.results += 1
        self._measure()
        self._trouble()
        self._feed.next()

    def _account(self, result: Result, frame: Frame) -> None:
        """Find the picture of a result; those before it must be told as dropped."""
        before: list[str] = []
        kind = None
        while self._feed.shots:
            captured_ns, kind = self._feed.shots.popleft()
            if captured_ns == frame.captured_ns:
                break
            before.append(kind)
        else:
            self.note(f"frame {result.frame} is no picture that the camera gave, or was there before")
            return
        assert kind is not None
        self.processed[kind] += 1
        self.lost.update(before)
        if result.dropped - self.dropped == len(before):
            self.counted.update(before)
        else:
            self.note(f"frame {result.frame}: {len(before)} were lost, told was {result.dropped - self.dropped}")
        if result.frame != self.results + result.dropped:
            self.note(f"frame {result.frame} has {self.results} results and {result.dropped} drops before it")
        if (kind == BLACK) == bool(frame.image.any()) or (kind == RESIZED) != (frame.image.shape[0] == 60):
            self.note(f"frame {result.frame} is not the picture that was given: {kind}")
        self.dropped = result.dropped

    def _measure(self) -> None:
        calm = self._feed.calm
        if self.results == self._warm_up - self._calm_frames or self.results == self._frames:
            calm.set()
        elif self.results >= self._warm_up and "after the warm-up" not in self.moments and not self._busy:
            self.moments["after the warm-up"] = held(captures=1)
            calm.clear()
        elif self.results >= self._frames + self._calm_frames and not self._busy and not self._stop.is_set():
            self.moments["at the end"] = held(captures=1)
            self._stop.set()
        if not self.results % max(1, self._frames // _LINES) and not self._disk.full:
            print(f"{self.results} frames, {time.monotonic() - self._began_s:.0f} s", file=sys.stderr, flush=True)

    @property
    def _busy(self) -> bool:
        return self._reloader.begun or self._reloader.asked.is_set()

    def _trouble(self) -> None:
        calm, faults = self._feed.calm.is_set(), self._feed.faults
        if self._disk.full:
            self._full_for -= 1
            if calm or self._full_for <= 0:
                self._disk.free()
        elif not calm and self._random.random() < faults:
            self.filled += 1
            self._full_for = self._random.randint(5, 15)
            self._disk.fill()
        # Moved and removed in turns.
        if not calm and self._random.random() < 2 * faults:
            self._log.take_away()
        if self._reload_at and self.results >= self._reload_at[0] and not self._busy:
            self._reload_at.pop(0)
            self.asked += 1
            self._reloader.asked.set()
