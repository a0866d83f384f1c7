"""What test_picamera2.py runs in an environment that has picamera2, with this folder in PYTHONPATH."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dma_heap
import libcamera
import numpy as np
import picamera2
import pytest
from libcamera._camera import EXPOSURE_US, picture

from fer_edge import open_source
from fer_edge.errors import FerError, SourceError
from fer_edge.loop import run
from fer_edge.settings.cameras import Picamera2Settings
from fer_edge.sources import _picamera2
from fer_edge.sources import picamera2 as source_module
from fer_edge.sources.picamera2 import Picamera2Source
from fer_edge.summary import Summary
from fer_edge.types import Frame, Result

pytestmark = [
    # picamera2's own: an old name, and a pipe left open where a camera does not open.
    pytest.mark.filterwarnings("ignore:setDaemon.. is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]
dma_heap.install()
STOP = threading.Event()
HERE = Path(__file__).parent
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


def open_camera(**settings: Any) -> Picamera2Source:
    return Picamera2Source(0, STOP, Picamera2Settings(**settings))


def frames_of(source: Picamera2Source, count: int) -> list[Frame]:
    frames = iter(source)
    taken = [next(frames) for _ in range(count)]
    frames.close()  # type: ignore[attr-defined]
    return taken


def number_of(frame: Frame) -> int:
    """Read the sensor's number of a frame off its first pixel; it goes up to 250."""
    return int(frame.gray[0, 0])


def test_it_is_the_real_package() -> None:
    assert "site-packages" in str(picamera2.__file__)
    assert tuple(map(int, version("picamera2").split("."))) >= (0, 3, 38)
    assert Path(libcamera.__file__).is_relative_to(HERE)


@pytest.mark.parametrize("size", [(640, 480), (300, 242)])
def test_luma_comes_without_padding_and_chroma(camera: libcamera.Camera, size: tuple[int, int]) -> None:
    with open_camera(size=size) as source:
        taken = frames_of(source, 5)
        assert camera.configured.at(0).stride >= size[0]
    for frame in taken:
        np.testing.assert_array_equal(frame.gray, picture(*size, number_of(frame)))
        assert (frame.gray.dtype, frame.gray.flags["C_CONTIGUOUS"], frame.luma) == (np.uint8, True, None)
        assert frame.gray is frame.image
        assert frame.source == "picamera2:0"
    numbers = [number_of(frame) for frame in taken]
    assert numbers == sorted(set(numbers))


def test_one_stream_is_asked_for_where_nobody_wants_colour(camera: libcamera.Camera) -> None:
    with open_camera():
        assert [str(stream.pixel_format) for stream in camera.configured] == ["YUV420", "SRGGB10_CSI2P"]
        assert camera.configured.at(0).size == libcamera.Size(640, 480)


@pytest.mark.parametrize(("luma_size", "given"), [((0, 0), (202, 100)), ((64, 48), (64, 48))])
def test_colour_and_luma_are_of_the_same_frame(
    camera: libcamera.Camera, luma_size: tuple[int, int], given: tuple[int, int]
) -> None:
    with open_camera(size=(202, 100), color=True, luma_size=luma_size) as source:
        assert [str(stream.pixel_format) for stream in camera.configured] == ["RGB888", "YUV420", "SRGGB10_CSI2P"]
        taken = frames_of(source, 5)
    for frame in taken:
        expected = picture(202, 100, number_of(frame))
        np.testing.assert_array_equal(frame.image, np.dstack((expected, expected // 2, expected // 3)))
        assert frame.luma is not None
        np.testing.assert_array_equal(frame.luma, picture(*given, number_of(frame)))
        np.testing.assert_array_equal(frame.gray, frame.luma)


def test_odd_sizes_are_read_back(camera: libcamera.Camera) -> None:
    with open_camera(size=(301, 241)) as source:
        (frame,) = frames_of(source, 1)
    np.testing.assert_array_equal(frame.gray, picture(300, 240, number_of(frame)))


def test_a_size_that_the_camera_changes_is_read_back(camera: libcamera.Camera) -> None:
    camera.adjusted["size"] = libcamera.Size(320, 200)
    with open_camera() as source:
        (frame,) = frames_of(source, 1)
    np.testing.assert_array_equal(frame.gray, picture(320, 200, number_of(frame)))


@pytest.mark.parametrize("settings", [{}, {"color": True}], ids=["luma", "colour"])
def test_a_format_that_is_not_what_was_asked_for_is_told(camera: libcamera.Camera, settings: dict[str, Any]) -> None:
    camera.adjusted["pixel_format"] = libcamera.PixelFormat("MJPEG")
    with pytest.raises(SourceError) as caught, open_camera(**settings):
        pass
    asked = "RGB888" if settings else "YUV420"
    assert str(caught.value) == f"camera picamera2:0 does not start: it gives MJPEG where {asked} is asked for"


@pytest.mark.parametrize(
    ("horizontal", "vertical", "orientation"),
    [
        (False, False, libcamera.Orientation.Rotate0),
        (True, False, libcamera.Orientation.Rotate0Mirror),
        (False, True, libcamera.Orientation.Rotate180Mirror),
        (True, True, libcamera.Orientation.Rotate180),
    ],
)
def test_flips_arrive(
    camera: libcamera.Camera, horizontal: bool, vertical: bool, orientation: libcamera.Orientation
) -> None:
    with open_camera(size=(64, 48), horizontal_flip=horizontal, vertical_flip=vertical) as source:
        (frame,) = frames_of(source, 1)
        assert camera.configured.orientation is orientation
    upright = frame.gray[:: -1 if vertical else 1, :: -1 if horizontal else 1]
    np.testing.assert_array_equal(upright, picture(64, 48, int(upright[0, 0])))


def test_automatic_controls_arrive(camera: libcamera.Camera) -> None:
    with open_camera():
        assert camera.given == {
            "AfMode": libcamera.controls.AfModeEnum.Continuous,
            "FrameDurationLimits": (33_333, 33_333),
            "NoiseReductionMode": libcamera.controls.draft.NoiseReductionModeEnum.Fast,
        }


def test_chosen_controls_arrive(camera: libcamera.Camera) -> None:
    chosen = {"frame_rate": 125.0, "exposure_us": 4_000, "analogue_gain": 2.5, "autofocus": "manual", "buffer_count": 7}
    with open_camera(**chosen):
        assert camera.given == {
            "AfMode": libcamera.controls.AfModeEnum.Manual,
            "AnalogueGain": 2.5,
            "AnalogueGainMode": 1,
            "ExposureTime": 4_000,
            "ExposureTimeMode": 1,
            "FrameDurationLimits": (8_000, 8_000),
            "NoiseReductionMode": libcamera.controls.draft.NoiseReductionModeEnum.Fast,
        }
        assert camera.made == 7


def test_a_camera_of_fixed_focus_and_rate_is_read(camera: libcamera.Camera) -> None:
    del camera.controls[libcamera.controls.AfMode], camera.controls[libcamera.controls.FrameDurationLimits]
    with open_camera() as source:
        assert camera.given == {}
        assert len(frames_of(source, 2)) == 2


def test_a_control_that_the_camera_lacks_is_told(camera: libcamera.Camera) -> None:
    del camera.controls[libcamera.controls.ExposureTime]
    with pytest.raises(SourceError) as caught, open_camera(exposure_us=4_000):
        pass
    assert str(caught.value) == (
        "camera picamera2:0 does not start: Control ExposureTime is not advertised by libcamera"
    )


def test_overwritten_frames_are_counted(camera: libcamera.Camera) -> None:
    with open_camera(size=(64, 48), frame_rate=100.0) as source:
        frames = iter(source)
        for taken in range(5):
            frame = next(frames)
            assert frame.dropped == frame.index - taken
            time.sleep(0.1)
        frames.close()  # type: ignore[attr-defined]
    assert frame.dropped > 0


@pytest.mark.parametrize("clock", ["the monotonic clock", "the boot clock"])
def test_age_is_right_after_a_sleep_of_the_machine(
    camera: libcamera.Camera, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    def booted_ns(_: int = time.CLOCK_BOOTTIME) -> int:
        return time.monotonic_ns() + 3_600 * 10**9

    monkeypatch.setattr(time, "clock_gettime_ns", booted_ns)
    if clock == "the boot clock":
        camera.clock = booted_ns
    with open_camera() as source:
        for frame in frames_of(source, 3):
            assert 0 <= (time.monotonic_ns() - frame.captured_ns) / 1e9 < 1
            assert frame.at_s == frame.captured_ns / 1e9


@pytest.mark.parametrize("fresh", [False, True])
def test_a_fresh_frame_is_exposed_after_it_is_asked_for(camera: libcamera.Camera, fresh: bool) -> None:
    with open_camera(fresh=fresh) as source:
        # One is complete and waits.
        assert eventually(lambda: source._camera.completed_requests)
        if not fresh:
            camera.stalled = True
            time.sleep(0.2)
        asked = time.monotonic_ns()
        (frame,) = frames_of(source, 1)
    assert (frame.captured_ns - EXPOSURE_US * 1000 >= asked) is fresh


def test_every_request_is_returned(camera: libcamera.Camera) -> None:
    with open_camera(size=(64, 48), frame_rate=100.0, color=True) as source:
        assert len(frames_of(source, 30)) == 30
        # picamera2 keeps the last one for whoever asks next.
        assert eventually(lambda: len(camera.queued) >= camera.made - 1)
        allocator = source._camera.allocator
    assert not camera.queued
    assert not any(allocator.mapped_buffers_used.values())


def test_requests_are_returned_after_errors_too(camera: libcamera.Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> int:
        raise ValueError("no such time")

    with open_camera(size=(64, 48), frame_rate=100.0) as source:
        with monkeypatch.context() as broken:
            broken.setattr(_picamera2, "monotonic_ns", fail)
            for _ in range(2 * camera.made):
                with pytest.raises(SourceError, match=r"^picamera2:0 failed: no such time$"):
                    next(iter(source))
        assert len(frames_of(source, 3)) == 3


def test_a_camera_in_use_is_told(camera: libcamera.Camera) -> None:
    with open_camera() as first:
        with pytest.raises(SourceError) as caught, open_camera():
            pass
        assert str(caught.value) == (
            "camera picamera2:0 cannot be opened: Failed to acquire camera: Device or resource busy; another program "
            "may have it, or this user is not in the group 'video'"
        )
        assert len(frames_of(first, 2)) == 2


@pytest.mark.parametrize(("spec", "there"), [("picamera2:1", 1), ("picamera2", 0)])
def test_a_camera_that_is_not_there_is_told(camera: libcamera.Camera, spec: str, there: int) -> None:
    libcamera.CameraManager.singleton().cameras = [camera][:there]
    with pytest.raises(SourceError) as caught, open_source(spec):
        pass
    assert str(caught.value) == (
        f"no camera picamera2:{there}: {there} found; 'rpicam-hello --list-cameras' shows them"
    )


def test_the_second_camera_is_opened_by_its_number(camera: libcamera.Camera) -> None:
    other = libcamera.Camera(1)
    libcamera.CameraManager.singleton().cameras = [other, camera]
    # picamera2 sorts them by name, backwards.
    with open_source("picamera2:1") as source:
        assert (camera.acquired, other.acquired, source.name) == (True, False, "picamera2:1")
        assert next(iter(source)).index == 0


def test_a_camera_that_does_not_start_is_let_go(camera: libcamera.Camera) -> None:
    camera.refusal = RuntimeError("Failed to start camera: Cannot allocate memory")
    with pytest.raises(SourceError) as caught, open_camera():
        pass
    assert str(caught.value) == ("camera picamera2:0 does not start: Failed to start camera: Cannot allocate memory")
    assert not camera.acquired
    camera.refusal = None
    with open_camera() as source:
        assert len(frames_of(source, 1)) == 1


def test_a_camera_that_stops_to_deliver_is_noticed_and_let_go(
    camera: libcamera.Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_module, "_PATIENCE_S", 0.3)

    def stall_after_a_frame(source: Picamera2Source) -> None:
        for _ in source:
            camera.stalled = True

    def lose() -> None:
        with pytest.raises(SourceError, match=r"^picamera2:0 gave no frame for 0 s$"), open_camera() as source:
            stall_after_a_frame(source)

    losing = threading.Thread(target=lose, daemon=True)
    losing.start()
    losing.join(LONG_S)
    assert not losing.is_alive()
    # The one that still waited for a frame is told to end.
    assert eventually(lambda: "capture picamera2:0" not in {thread.name for thread in threading.enumerate()})


def test_a_frame_asked_for_after_the_end_is_an_error(camera: libcamera.Camera) -> None:
    with open_camera() as source:
        pass
    with pytest.raises(SourceError, match=r"^picamera2:0 failed: it is closed$"):
        next(iter(source))


def test_a_camera_is_left_alone_before_it_is_closed_even_after_an_error(
    camera: libcamera.Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def process(self, frame: Frame) -> Result:
            raise FerError("broken")

    stopped_beside: list[set[str]] = []
    stop = libcamera.Camera.stop

    def note(self: libcamera.Camera) -> None:
        stopped_beside.append({thread.name for thread in threading.enumerate()})
        stop(self)

    monkeypatch.setattr(libcamera.Camera, "stop", note)
    with pytest.raises(FerError, match="broken"), open_camera() as source:
        run(source, Broken(), [], Summary())  # type: ignore[arg-type]
    assert len(stopped_beside) == 1
    # A driver that is closed while another thread reads from it may bring the whole process down.
    assert "capture picamera2:0" not in stopped_beside[0]


def test_auto_takes_the_pi_s_own_camera(camera: libcamera.Camera) -> None:
    with open_source("auto") as source:
        assert (source.name, source.live) == ("picamera2:0", True)
        assert next(iter(source)).image.shape == (480, 640)


@pytest.mark.parametrize(
    ("before", "status", "errors"),
    [
        ("", 0, 0),
        ("camera.acquired = True", 1, 1),
        ("camera.refusal = RuntimeError('Failed to start camera')", 1, 1),
        ("libcamera.CameraManager.singleton().cameras.clear()", 1, 1),
    ],
    ids=["it runs", "in use", "does not start", "absent"],
)
def test_the_command_says_nothing_of_picamera2_s_own(before: str, status: int, errors: int) -> None:
    program = (
        "import dma_heap, libcamera; dma_heap.install(); camera = libcamera.CameraManager.singleton().cameras[0]; "
        f"{before}\nfrom fer_edge.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "--source", "picamera2:0", "--frames", "3"],
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = done.stderr.splitlines()
    assert done.returncode == status, done.stderr
    assert len([line for line in lines if line.startswith("error: ")]) == errors
    assert not [line for line in lines if "Picamera2" in line or "Traceback" in line or "did not complete" in line]
    if errors:
        assert len(lines) == 1, done.stderr


@pytest.mark.parametrize(
    ("before", "told"), [("", [("ok", "imx708: --source picamera2:0")]), ("singleton().cameras.clear()", [])]
)
def test_the_doctor_tells_of_cameras(tmp_path: Path, before: str, told: list[tuple[str, str]]) -> None:
    if before:
        (tmp_path / "sitecustomize.py").write_text(f"import libcamera; libcamera.CameraManager.{before}\n")
    program = (
        "from fer_edge.doctor.apart import apart; print([(f.level, f.found) for f in apart('camera', 'picamera2')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.stdout, done.stderr) == (f"{told}\n", "")
