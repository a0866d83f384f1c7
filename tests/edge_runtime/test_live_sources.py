from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fer_edge import open_source
from fer_edge.errors import FerError, SourceError
from fer_edge.loop import run
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.summary import Summary
from fer_edge.types import Frame, Result

LONG_S = 30.0


def shot(number: int) -> Shot:
    return Shot(np.full((4, 6), number, np.uint8), captured_ns=1000 + number, capture_ms=0.25)


class ScriptedCamera:
    """Gives what the test hands it, and lets the test wait until the slot has it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._script: list[Shot | Exception] = []
        self._asked = 0

    def shoot(self) -> Shot:
        """Block until the test gives something."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._script, LONG_S)
            given = self._script.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    def give(self, given: Shot | Exception) -> None:
        """Hand over the next picture, or a failure, and go on at once."""
        with self._changed:
            self._script.append(given)
            self._changed.notify_all()

    def wait_until_asked(self, times: int) -> None:
        """Wait for the capture thread to ask for a picture: then the one before is in the slot."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._asked >= times, LONG_S)


@pytest.fixture
def camera() -> Iterator[ScriptedCamera]:
    scripted = ScriptedCamera()
    yield scripted
    # Lets a thread that still waits for a picture end.
    scripted.give(RuntimeError("the test is over"))


def test_overwritten_frames_are_counted_exactly(camera: ScriptedCamera) -> None:
    frames = newest_frames("test", camera.shoot, threading.Event(), LONG_S)
    camera.give(shot(0))
    seen = [next(frames)]
    camera.wait_until_asked(2)
    for number in (1, 2, 3):
        camera.give(shot(number))
        camera.wait_until_asked(number + 2)
    seen.append(next(frames))
    camera.give(shot(4))
    seen.append(next(frames))
    camera.wait_until_asked(6)
    for number in (5, 6):
        camera.give(shot(number))
        camera.wait_until_asked(number + 2)
    seen.append(next(frames))
    assert [(frame.index, frame.dropped, int(frame.image[0, 0])) for frame in seen] == [
        (0, 0, 0),
        (3, 2, 3),
        (4, 2, 4),
        (6, 3, 6),
    ]
    assert {(frame.source, frame.capture_ms, frame.captured_ns - frame.index) for frame in seen} == {
        ("test", 0.25, 1000)
    }
    assert {frame.captured_at.tzinfo for frame in seen} == {UTC}
    camera.give(RuntimeError("the test is over"))
    frames.close()


def test_a_failure_is_handed_over_after_the_last_frame(camera: ScriptedCamera) -> None:
    frames = newest_frames("test", camera.shoot, threading.Event(), LONG_S)
    camera.give(shot(0))
    camera.give(RuntimeError("the cable is out"))
    assert next(frames).index == 0
    with pytest.raises(SourceError) as caught:
        next(frames)
    assert str(caught.value) == "test failed: the cable is out"
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_patience_ends(camera: ScriptedCamera) -> None:
    frames = newest_frames("test", camera.shoot, threading.Event(), 0.2)
    camera.give(shot(0))
    assert next(frames).index == 0
    with pytest.raises(SourceError, match=r"^test gave no frame for "):
        next(frames)


def test_stop_ends_the_waiting(camera: ScriptedCamera) -> None:
    stop = threading.Event()

    def shoot() -> Shot:
        stop.set()
        return camera.shoot()

    # Patience is long: only the stop can end this.
    assert list(newest_frames("test", shoot, stop, LONG_S)) == []


def test_the_thread_ends_with_the_frames(camera: ScriptedCamera) -> None:
    frames = newest_frames("of this test", camera.shoot, threading.Event(), LONG_S)
    camera.give(shot(0))
    next(frames)
    camera.give(RuntimeError("the test is over"))
    frames.close()
    assert "capture of this test" not in {thread.name for thread in threading.enumerate()}


class FakePicamera2:
    """Answers as picamera2 does: 4:2:0 planes with rows padded to the stride."""

    stride, height, width = 704, 480, 640
    made: FakePicamera2 | None = None

    def __init__(self, number: int) -> None:
        if number > 0:
            raise IndexError("list index out of range")
        self.calls: list[Any] = [("open", number)]
        self.released = self.requested = 0
        self.capturing_when_closed: bool | None = None
        type(self).made = self

    def create_video_configuration(self, **streams: Any) -> dict[str, Any]:
        return streams

    def configure(self, configuration: dict[str, Any]) -> None:
        self.calls.append(configuration)

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.capturing_when_closed = any(thread.name == "capture picamera2:0" for thread in threading.enumerate())
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")

    def capture_request(self) -> FakePicamera2:
        # A camera takes its time between frames; without that the thread would only spin.
        threading.Event().wait(0.001)
        self.requested += 1
        return self

    def make_array(self, stream: str) -> npt.NDArray[np.uint8]:
        assert stream == "main"
        planes = np.full((self.height * 3 // 2, self.stride), 255, np.uint8)
        rows, columns = np.mgrid[: self.height, : self.width]
        planes[: self.height, : self.width] = (rows + columns) % 200
        return planes

    def get_metadata(self) -> dict[str, Any]:
        return {"SensorTimestamp": 123_456_789}

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def picamera2(monkeypatch: pytest.MonkeyPatch) -> type[FakePicamera2]:
    class Fresh(FakePicamera2):
        pass

    module = ModuleType("picamera2")
    module.Picamera2 = Fresh  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return Fresh


def test_picamera2_gives_its_luma_without_padding_and_chroma(picamera2: type[FakePicamera2]) -> None:
    with open_source("picamera2") as source:
        frame = next(iter(source))
    camera = picamera2.made
    assert camera is not None
    rows, columns = np.mgrid[:480, :640]
    np.testing.assert_array_equal(frame.gray, (rows + columns) % 200)
    assert (frame.gray.dtype, frame.source, frame.captured_ns) == (np.uint8, "picamera2:0", 123_456_789)
    assert camera.calls == [
        ("open", 0),
        {"main": {"size": (640, 480), "format": "YUV420"}},
        "start",
        "stop",
        "close",
    ]
    assert camera.released == camera.requested
    assert camera.capturing_when_closed is False


def test_a_camera_is_left_alone_before_it_is_closed_even_after_an_error(
    picamera2: type[FakePicamera2], make_frame: Callable[..., Frame]
) -> None:
    class Broken:
        def process(self, frame: Frame) -> Result:
            raise FerError("broken")

    with pytest.raises(FerError, match="broken"), open_source("picamera2") as source:
        run(source, Broken(), [], Summary())  # type: ignore[arg-type]
    camera = picamera2.made
    assert camera is not None
    assert camera.calls[-2:] == ["stop", "close"]
    # A driver that is closed while another thread reads from it may bring the whole process down.
    assert camera.capturing_when_closed is False


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("picamera2:1", "no camera picamera2:1: list index out of range; 'rpicam-hello --list-cameras' shows them"),
        ("picamera2:front", "picamera2:front is no camera: give a number, such as picamera2:0"),
    ],
)
def test_picamera2_without_that_camera(picamera2: type[FakePicamera2], spec: str, message: str) -> None:
    with pytest.raises(SourceError) as caught, open_source(spec):
        pass
    assert str(caught.value) == message


@pytest.mark.parametrize("step", ["configure", "start"])
def test_picamera2_that_does_not_start(
    picamera2: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("Device or resource busy")

    monkeypatch.setattr(picamera2, step, fail)
    with pytest.raises(SourceError, match="Device or resource busy"), open_source("picamera2"):
        pass
    assert picamera2.made is not None
    # Otherwise it stays taken.
    assert picamera2.made.calls[-1] == "close"


def test_picamera2_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError) as caught, open_source("picamera2"):
        pass
    told = str(caught.value)
    assert "picamera2" in told
    assert told.endswith(
        ": install it with 'sudo apt install python3-picamera2' and make the environment with --system-site-packages"
    )
