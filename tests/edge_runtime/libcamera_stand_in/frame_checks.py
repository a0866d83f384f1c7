"""What frames and controls are, by the real picamera2; test_picamera2.py runs it with this folder in PYTHONPATH."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import libcamera
import numpy as np
import picamera2
import pytest
from libcamera._camera import EXPOSURE_US, picture
from only_camera import MARKS, eventually, frames_of, number_of, open_camera

from fer_edge.errors import SourceError

pytestmark = MARKS


HERE = Path(__file__).parent


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
