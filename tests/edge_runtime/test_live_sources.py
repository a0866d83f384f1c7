from __future__ import annotations

import itertools
import re
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge import open_source
from fer_edge.detectors import open_detector
from fer_edge.errors import SourceError, UsageError
from fer_edge.settings import SourceSettings
from fer_edge.settings.cameras import V4l2Settings
from fer_edge.sources import auto, v4l2
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.types import Frame

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
    assert caught.value.dropped == 0


def test_a_loss_tells_of_all_frames_that_nobody_took(camera: ScriptedCamera) -> None:
    frames = newest_frames("test", camera.shoot, threading.Event(), LONG_S)
    camera.give(shot(0))
    assert next(frames).dropped == 0
    for number in (1, 2, 3):
        camera.wait_until_asked(number + 1)
        camera.give(shot(number))
    camera.wait_until_asked(5)
    camera.give(RuntimeError("the cable is out"))
    assert next(frames).dropped == 2
    with pytest.raises(SourceError) as caught:
        next(frames)
    assert caught.value.dropped == 2


def test_a_frame_that_comes_after_the_patience_counts_as_dropped() -> None:
    pictures = iter([shot(0), shot(1)])

    def shoot() -> Shot:
        picture = next(pictures)
        if picture.captured_ns > 1000:
            time.sleep(0.3)
        return picture

    frames = newest_frames("test", shoot, threading.Event(), 0.01)
    assert next(frames).index == 0
    with pytest.raises(SourceError, match=r"^test gave no frame for 0\.01 s$") as caught:
        next(frames)
    assert caught.value.dropped == 1


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
        ([textured(seed) for seed in range(7)], False),
        # A covered lens.
        ([shot(0)], False),
    ],
    ids=["the last picture", "new ones", "black"],
)
def test_a_camera_that_stands_still_is_noticed(pictures: list[Shot], still: bool) -> None:
    given = itertools.cycle(pictures)
    stop, deadline = threading.Event(), time.monotonic() + 1.0

    given_so_far = 0

    def shoot() -> Shot:
        nonlocal given_so_far
        if time.monotonic() > deadline:
            stop.set()
        time.sleep(0.005)
        given_so_far += 1
        return next(given)

    frames = newest_frames("test", shoot, stop, 0.2)
    if still:
        taken: list[Frame] = []
        with pytest.raises(
            SourceError, match=r"^test failed: the same picture for 0\.2 s; is it still plugged in\?$"
        ) as caught:
            taken.extend(frames)
        assert len(taken) + caught.value.dropped == given_so_far
    else:
        assert list(frames)


def test_a_camera_on_the_network(network_camera: Any) -> None:
    stop = threading.Event()
    with open_source(network_camera.address.replace("//", "//user:secret@"), stop) as source:
        assert source.live
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/stream\.mjpg", source.name)
        frames = iter(source)
        seen = [next(frames) for _ in range(5)]
        frames.close()  # type: ignore[attr-defined]
    assert {frame.image.shape for frame in seen} == {(300, 400, 3)}
    times = [frame.at_s for frame in seen]
    assert times == sorted(times)  # type: ignore[type-var]
    assert len(open_detector("haar").detect(seen[-1].gray)) == 1


def test_a_stream_that_nobody_serves() -> None:
    with pytest.raises(SourceError) as caught, open_source("http://user:secret@127.0.0.1:9/none"):
        pass
    assert str(caught.value).startswith("http://127.0.0.1:9/none cannot be opened: is it running")


def test_auto_goes_on_to_video_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[str] = []

    class Device:
        def __init__(self, path: Path, stop: threading.Event, settings: SourceSettings) -> None:
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
    with pytest.raises(SourceError, match=r"^no camera was found .*python3-picamera2"), open_source("auto"):
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


def test_picamera2_s_cameras_have_numbers() -> None:
    with pytest.raises(SourceError) as caught:
        open_source("picamera2:front")
    assert str(caught.value) == "picamera2:front is no camera: give a number, such as picamera2:0"


def test_picamera2_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError) as caught, open_source("picamera2"):
        pass
    told = str(caught.value)
    assert "picamera2" in told
    assert told.endswith(
        ": install it with 'sudo apt install python3-picamera2' and make the environment with --system-site-packages"
    )


def test_picamera2_that_was_built_for_another_numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "picamera2.py").write_text("raise ValueError('numpy.dtype size changed')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "picamera2", raising=False)
    with pytest.raises(SourceError) as caught, open_source("picamera2"):
        pass
    assert str(caught.value) == (
        "the system's picamera2 does not go with this environment's NumPy: numpy.dtype size changed; install an older "
        "one with \"pip install 'numpy<2'\""
    )


class Driver:
    """A video device with a picture format, sizes and rates of its own, as OpenCV shows it."""

    offers = {"MJPG": {(1280, 720), (640, 480)}, "YUYV": {(640, 480)}}

    def __init__(self, path: str, backend: int) -> None:
        assert (path, backend) == ("/dev/null", cv2.CAP_V4L2)
        self.format, self.size, self.rate, self.released = "YUYV", (640, 480), 30.0, False
        self.asked: dict[int, float] = {}

    def isOpened(self) -> bool:  # noqa: N802  # OpenCV's name
        return True

    def set(self, what: int, value: float) -> bool:
        self.asked[what] = value
        if what == cv2.CAP_PROP_FOURCC:
            name = int(value).to_bytes(4, "little").decode()
            self.format = name if name in self.offers else self.format
        elif what == cv2.CAP_PROP_FPS:
            self.rate = value
        wanted = tuple(int(self.asked.get(side, 0)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        self.size = wanted if wanted in self.offers[self.format] else self.size
        return True

    def get(self, what: int) -> float:
        return {
            cv2.CAP_PROP_FOURCC: float(int.from_bytes(self.format.encode(), "little")),
            cv2.CAP_PROP_FRAME_WIDTH: float(self.size[0]),
            cv2.CAP_PROP_FRAME_HEIGHT: float(self.size[1]),
        }[what]

    def release(self) -> None:
        self.released = True


@pytest.fixture
def drivers(monkeypatch: pytest.MonkeyPatch) -> list[Driver]:
    opened: list[Driver] = []

    def capture(path: str, backend: int) -> Driver:
        opened.append(Driver(path, backend))
        return opened[-1]

    monkeypatch.setattr(cv2, "VideoCapture", capture)
    return opened


def test_a_video_device_is_asked_for_what_the_settings_say(drivers: list[Driver]) -> None:
    settings = V4l2Settings(pixel_format="MJPG", size=(1280, 720), frame_rate=25.0)
    with open_source("v4l2:/dev/null", None, SourceSettings(v4l2=settings)):
        (driver,) = drivers
        assert (driver.format, driver.size, driver.rate) == ("MJPG", (1280, 720), 25.0)
        assert driver.asked[cv2.CAP_PROP_BUFFERSIZE] == 1
    assert driver.released
    with open_source("v4l2:/dev/null"):
        assert set(drivers[1].asked) == {cv2.CAP_PROP_BUFFERSIZE}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (V4l2Settings(pixel_format="H264"), "gives 'YUYV' where 'H264' is asked for: 'v4l2-ctl --list-formats-ext"),
        (V4l2Settings(size=(1280, 720)), "gives 640x480 where 1280x720 is asked for: 'v4l2-ctl --list-formats-ext"),
    ],
)
def test_what_a_video_device_does_not_offer_is_told(settings: V4l2Settings, told: str, drivers: list[Driver]) -> None:
    with (
        pytest.raises(SourceError, match=f"^camera /dev/null {re.escape(told)}"),
        open_source("v4l2:/dev/null", None, SourceSettings(v4l2=settings)),
    ):
        pass
    assert drivers[0].released
