from __future__ import annotations

import contextlib
import itertools
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_edge import open_source
from fer_edge.detectors import open_detector
from fer_edge.errors import FerError, SourceError, UsageError
from fer_edge.loop import run
from fer_edge.sources import auto, v4l2
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


def textured(seed: int) -> Shot:
    return Shot(np.random.default_rng(seed).integers(0, 256, (40, 60), np.uint8), captured_ns=1, capture_ms=0.0)


@pytest.mark.parametrize(
    ("pictures", "still"),
    [
        ([textured(1)], True),
        ([textured(1), textured(2)], False),
        # A covered lens.
        ([shot(0)], False),
    ],
    ids=["the last picture", "new ones", "black"],
)
def test_a_camera_that_stands_still_is_noticed(pictures: list[Shot], still: bool) -> None:
    given = itertools.cycle(pictures)
    stop, deadline = threading.Event(), time.monotonic() + 1.0

    def shoot() -> Shot:
        if time.monotonic() > deadline:
            stop.set()
        time.sleep(0.005)
        return next(given)

    frames = newest_frames("test", shoot, stop, 0.2)
    if still:
        with pytest.raises(SourceError, match=r"^test failed: the same picture for 0 s; is it still plugged in\?$"):
            list(frames)
    else:
        assert list(frames)


@pytest.fixture
def server(shared_data: Callable[[str], Path]) -> Iterator[str]:
    """Serve the portrait as MJPEG over HTTP, as network cameras do: the address."""
    portrait = cv2.imread(str(shared_data("photos/skimage_astronaut.png")))
    assert portrait is not None
    draw = np.random.default_rng(0)

    class Camera(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
            self.end_headers()
            with contextlib.suppress(OSError):  # the reader left
                while True:
                    noisy = cv2.add(portrait, draw.integers(0, 5, portrait.shape, np.uint8))
                    content = cv2.imencode(".jpg", noisy)[1].tobytes()
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
                    self.wfile.write(head.encode() + content + b"\r\n")
                    time.sleep(0.03)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Camera) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://user:secret@127.0.0.1:{http.server_port}/stream.mjpg"
        http.shutdown()


def test_a_camera_on_the_network(server: str) -> None:
    stop = threading.Event()
    with open_source(server, stop) as source:
        assert source.live
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/stream\.mjpg", source.name)
        frames = iter(source)
        seen = [next(frames) for _ in range(5)]
        frames.close()  # type: ignore[attr-defined]
    assert {frame.image.shape for frame in seen} == {(512, 512, 3)}
    times = [frame.at_s for frame in seen]
    assert times == sorted(times)  # type: ignore[type-var]
    assert len(open_detector("haar").detect(seen[-1].gray)) == 1


def test_a_stream_that_nobody_serves() -> None:
    with pytest.raises(SourceError) as caught, open_source("http://user:secret@127.0.0.1:9/none"):
        pass
    assert str(caught.value).startswith("http://127.0.0.1:9/none cannot be opened: is it running")


def test_auto_takes_the_pi_s_own_camera(picamera2: type[FakePicamera2]) -> None:
    with open_source("auto") as source:
        assert (source.name, source.live) == ("picamera2:0", True)
        assert next(iter(source)).image.shape == (480, 640)
    assert picamera2.made is not None
    assert picamera2.made.calls[-1] == "close"


def test_auto_goes_on_to_video_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[str] = []

    class Device:
        def __init__(self, path: Path, stop: threading.Event) -> None:
            self.name = str(path)

        def __enter__(self) -> Device:
            opened.append(self.name)
            if not self.name.endswith("video2"):
                raise SourceError(f"camera {self.name} cannot be opened")
            return self

        def __exit__(self, *_: object) -> None:
            opened.append("closed")

    monkeypatch.setitem(sys.modules, "picamera2", None)
    monkeypatch.setattr(auto, "_DEVICES", tmp_path)
    monkeypatch.setattr(v4l2, "V4l2Source", Device)
    with pytest.raises(SourceError, match=r"^no camera was found: .*python3-picamera2"), open_source("auto"):
        pass
    for name in ("video10", "video0", "video2"):
        (tmp_path / name).touch()
    with open_source("auto") as source:
        assert source.name == str(tmp_path / "video2")
    assert opened == [str(tmp_path / "video0"), str(tmp_path / "video2"), "closed"]
    with pytest.raises(UsageError, match="the source auto takes nothing: leave out 'x'"):
        open_source("auto:x")


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
