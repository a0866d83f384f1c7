"""Opening, failing and letting go, by the real picamera2; test_picamera2.py runs it with this folder in PYTHONPATH."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import libcamera
import pytest
from only_camera import LONG_S, MARKS, eventually, frames_of, open_camera

from fer_edge import open_source
from fer_edge.errors import FerError, SourceError
from fer_edge.loop import run
from fer_edge.sources import _picamera2
from fer_edge.sources.picamera2 import Picamera2Source
from fer_edge.summary import Summary
from fer_edge.types import Frame, Result

pytestmark = MARKS


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


def test_a_camera_that_stops_to_deliver_is_noticed_and_let_go(camera: libcamera.Camera) -> None:
    def stall_after_a_frame(source: Picamera2Source) -> None:
        for _ in source:
            camera.stalled = True

    def lose() -> None:
        with pytest.raises(SourceError, match=r"gave no frame for 0\.3 s$"), open_camera(patience_s=0.3) as source:
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
