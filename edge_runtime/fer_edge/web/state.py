"""What the page and the API tell of the run, as JSON; `docs/preview.md` describes the fields."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from fer_edge.metadata import ModelMetadata
from fer_edge.sinks._objects import of_result
from fer_edge.supervision.supervisor import NO_CAMERA
from fer_edge.types import BoardState, Result

VERSION = 1
Mode = Literal["preview", "serve"]
# The rate is that of the last seconds.
_SPAN_S = 5.0

encode = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class About:
    """What does not change from frame to frame.

    Attributes:
        mode: Whether pictures come from the device's camera or from browsers.
        source: Its name, for people.
        model: Gives the description of the model; None while that is being loaded.
        started_s: `time.monotonic()`.
    """

    mode: Mode
    source: str
    model: Callable[[], ModelMetadata | None]
    started_s: float = field(default_factory=time.monotonic)


def state(
    about: About,
    result: Result | None = None,
    *,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    there: bool = True,
    board: BoardState | None = None,
) -> dict[str, Any]:
    """Give the state as an object.

    Args:
        about: The run.
        result: The newest; None before the first.
        size: Width and height of the frame in whose pixels its boxes are.
        fps: Frames a second; None where that is not known yet.
        there: Whether the camera is.
        board: How the board is; None where it does not tell.
    """
    model = about.model()
    throttled = None if board is None else board.throttled
    temperature = None if board is None else board.temperature
    return {
        "version": VERSION,
        "mode": about.mode,
        "source": about.source.encode(errors="replace").decode(),
        "labels": [] if model is None else list(model.labels),
        "model": "" if model is None else model.name,
        "result": None if result is None else of_result(result),
        "picture": None if size is None else {"width": size[0], "height": size[1]},
        "fps": None if fps is None else round(fps, 2),
        "dropped": 0 if result is None else result.dropped,
        "uptime_s": round(time.monotonic() - about.started_s, 1),
        "camera": "ok" if there else NO_CAMERA,
        "temperature_c": None if temperature is None else round(temperature, 1),
        "throttled": None if throttled is None else any(cause.endswith(" now") for cause in throttled),
    }


class Rate:
    """Frames a second over the last seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Know nothing yet."""
        self._clock = clock
        self._counts: deque[tuple[float, int]] = deque()

    def count(self, frames: int) -> None:
        """Take note of how many there have been by now; of what is old, one stays to compare with."""
        now = self._clock()
        self._counts.append((now, frames))
        while len(self._counts) > 2 and now - self._counts[1][0] >= _SPAN_S:
            self._counts.popleft()

    @property
    def fps(self) -> float | None:
        """Frames a second; None before there are two counts."""
        if len(self._counts) < 2:
            return None
        (began_s, before), (now, frames) = self._counts[0], self._counts[-1]
        return (frames - before) / (now - began_s) if now > began_s else None
