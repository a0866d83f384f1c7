"""What the checks share: a plugin of pytest, and what they read of a camera."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import dma_heap
import libcamera
import pytest

from fer_edge.settings import SourceSettings
from fer_edge.settings.cameras import Picamera2Settings
from fer_edge.sources.picamera2 import Picamera2Source
from fer_edge.types import Frame

dma_heap.install()
MARKS = [
    # picamera2's own: an old name, and a pipe left open where a camera does not open.
    pytest.mark.filterwarnings("ignore:setDaemon.. is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]
STOP = threading.Event()
LONG_S = 30.0


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + LONG_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[libcamera.Camera]:
    """Give the only camera that there is, and see that it is let go."""
    only = libcamera.Camera()
    monkeypatch.setattr(libcamera.CameraManager.singleton(), "cameras", [only])
    yield only
    gc.collect()
    assert not only.acquired
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith(("sensor", "capture"))]


def open_camera(*, patience_s: float = 10.0, **settings: Any) -> Picamera2Source:
    return Picamera2Source(0, STOP, SourceSettings(patience_s=patience_s, picamera2=Picamera2Settings(**settings)))


def frames_of(source: Picamera2Source, count: int) -> list[Frame]:
    frames = iter(source)
    taken = [next(frames) for _ in range(count)]
    frames.close()  # type: ignore[attr-defined]
    return taken


def number_of(frame: Frame) -> int:
    """Read the sensor's number of a frame off its first pixel; it goes up to 250."""
    return int(frame.gray[0, 0])
