"""Which cameras `fer-edge doctor` finds."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fer_edge.board import Board
from fer_edge.doctor import Finding, v4l2
from fer_edge.doctor.cameras import cameras, permission
from fer_edge.doctor.finding import failure, ok
from fer_edge.doctor.v4l2 import Capability

# What VIDIOC_QUERYCAP gives for the two device files of one USB camera, and for a codec: capabilities, device_caps.
UVC_PICTURES = (0x84A00001, 0x04200001)
UVC_METADATA = (0x84A00001, 0x04A00000)
CODEC = (0x84204000, 0x04204000)
MULTI_PLANAR = (0x85201000, 0x05201000)
OLD = (0x05000001, 0x0)


def answer(driver: str, card: str, capabilities: tuple[int, int]) -> bytes:
    return struct.pack("=16s32s32sIII12x", driver.encode(), card.encode(), b"usb-1", 0x60173, *capabilities)


@pytest.fixture
def machine(tmp_path: Path) -> Callable[..., Board]:
    """Give a function that makes device files (of another kind than the kernel's) with their names in sysfs."""

    def make(devices: dict[str, str], model: str | None = None) -> Board:
        for device, name in devices.items():
            path = tmp_path / "dev" / device
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            entry = tmp_path / "sys/class/video4linux" / device
            entry.mkdir(parents=True, exist_ok=True)
            (entry / "name").write_text(f"{name}\n")
        if model is not None:
            path = tmp_path / "proc/device-tree/model"
            path.parent.mkdir(parents=True)
            path.write_text(f"{model}\0")
        return Board(tmp_path, lambda command: None)

    return make


def saying(**answers: bytes | int) -> Callable[[Path], Capability]:
    """Give what asks made device files: an answer of the kernel's, or an error's number."""

    def query(device: Path) -> Capability:
        one = answers[device.name]
        if isinstance(one, int):
            raise OSError(one, os.strerror(one), str(device))
        return v4l2.decode(one)

    return query


def nothing() -> list[Finding]:
    return []


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.level, one.found) for one in findings]


@pytest.mark.parametrize(
    ("capabilities", "captures"),
    [(UVC_PICTURES, True), (UVC_METADATA, False), (CODEC, False), (MULTI_PLANAR, True), (OLD, True)],
)
def test_what_the_kernel_answers(capabilities: tuple[int, int], captures: bool) -> None:
    given = v4l2.decode(answer("uvcvideo", "HD Pro Webcam C920", capabilities))
    assert given == Capability("uvcvideo", "HD Pro Webcam C920", captures)


def test_the_names_of_cameras_as_long_as_the_kernel_lets_them_be() -> None:
    assert v4l2.decode(answer("d" * 16, "é" * 16, OLD)) == Capability("d" * 16, "é" * 16, True)


def test_what_is_no_video_device(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    with pytest.raises(FileNotFoundError):
        v4l2.query(path)
    path.touch()
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        v4l2.query(path)
    # The latter is what QEMU says when it plays another processor.
    assert caught.value.errno in (errno.ENOTTY, errno.ENOSYS)


@pytest.mark.parametrize("ask", [v4l2.query, v4l2.ask])
def test_a_process_of_its_own_tells_the_same_errors(ask: Callable[[Path], Capability], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask(tmp_path / "video0")
    # A pipe can be opened, and takes no question for a camera.
    os.mkfifo(tmp_path / "video1")
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        ask(tmp_path / "video1")
    assert caught.value.errno in (errno.ENOTTY, errno.ENOSYS)


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[Path]:
    """Give the root of a machine whose /dev/video0 is the kernel's to open, and it waits for an answer for ever.

    It is a file system of one file in user space (FUSE), whose server says nothing.
    """
    device = tmp_path / "dev/video0"
    device.parent.mkdir()
    device.touch()
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"no file systems in user space: {error}")
    options = f"fd={server},rootmode=100000,user_id=0,group_id=0"
    command = ["mount", "--internal-only", "--types", "fuse", "--options", options, "none", str(device)]
    if subprocess.run(command, pass_fds=[server], capture_output=True, check=False).returncode:
        os.close(server)
        pytest.skip("mounting is for root, outside of containers")
    yield tmp_path
    os.close(server)
    subprocess.run(["umount", "--lazy", str(device)], check=True)


def test_a_driver_that_hangs_is_given_up_and_hides_no_other(hanging: Path) -> None:
    (hanging / "dev/video1").touch()
    asked: list[Path] = []

    def query(device: Path) -> Capability:
        asked.append(device)
        if device.name == "video1":
            return v4l2.decode(answer("uvcvideo", "C920", UVC_PICTURES))
        return v4l2.ask(device, patience_s=1)

    found = cameras(Board(hanging, lambda command: None), query=query, libcamera=nothing)
    assert told(found) == [
        ("warning", "video0 cannot be opened: no answer within 1 s"),
        ("ok", "C920 (uvcvideo): --source 1"),
    ]
    assert "unplug it" in (found[0].advice or "")
    assert [device.name for device in asked] == ["video0", "video1"]


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give a function that puts a program of the shell in the place of Python."""

    def stand_in(code: str) -> None:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\n{code}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return stand_in


def test_a_process_that_never_answers_is_ended(python: Callable[[str], None], tmp_path: Path) -> None:
    python(f"echo $$ > {tmp_path}/process; sleep 600")
    with pytest.raises(TimeoutError, match="no answer within 2 s"):
        v4l2.ask(tmp_path / "video0", patience_s=2)
    process = Path("/proc") / (tmp_path / "process").read_text().strip()
    deadline = time.monotonic() + 30
    while process.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not process.exists()


def test_a_process_that_crashes_with_the_driver_is_told(
    python: Callable[[str], None], machine: Callable[..., Board]
) -> None:
    python("kill -SEGV $$")
    (found,) = cameras(machine({"video0": "C920"}), libcamera=nothing)
    told_of = "video0 (C920) cannot be opened: the process that asked it ended with -11"
    assert told([found]) == [("warning", told_of)]


def test_a_usb_camera_is_told_once(machine: Callable[..., Board]) -> None:
    board = machine(dict.fromkeys(["video0", "video1", "video10", "video2"], "HD Pro Webcam C920"))
    query = saying(
        video0=answer("uvcvideo", "HD Pro Webcam C920", UVC_PICTURES),
        video1=answer("uvcvideo", "HD Pro Webcam C920", UVC_METADATA),
        video2=answer("some_codec", "codec", CODEC),
        video10=answer("uvcvideo", "Another", UVC_PICTURES),
    )
    assert told(cameras(board, query=query, libcamera=nothing)) == [
        ("ok", "HD Pro Webcam C920 (uvcvideo): --source 0"),
        ("ok", "Another (uvcvideo): --source 10"),
    ]


PI_4 = {
    "video0": "unicam-image",
    "video1": "unicam-embedded",
    "video10": "bcm2835-codec-decode",
    "video13": "bcm2835-isp-capture0",
    "video19": "rpivid",
}
PI_5 = {"video0": "rp1-cfe-csi2_ch0", "video19": "rpi-hevc-dec", "video20": "pispbe-input"}


@pytest.mark.parametrize(("devices", "model"), [(PI_4, "Raspberry Pi 4 Model B"), (PI_5, "Raspberry Pi 5 Model B")])
def test_the_camera_of_a_raspberry_pi(machine: Callable[..., Board], devices: dict[str, str], model: str) -> None:
    board = machine(devices, model)
    # Its own device files are not asked: nothing answers for them here.
    found = cameras(board, query=saying(), libcamera=lambda: [ok("camera", "imx708: --source picamera2:0")])
    assert told(found) == [("ok", "imx708: --source picamera2:0")]
    (missing,) = cameras(board, query=saying(), libcamera=nothing)
    name = devices["video0"]
    assert told([missing]) == [("failure", f"the kernel has found a camera ({name}), but picamera2 gives none")]
    assert "--system-site-packages" in (missing.advice or "")
    # What is wrong with picamera2 is not told twice.
    broken = failure("camera", "picamera2 cannot be imported: ...", "...")
    assert cameras(board, query=saying(), libcamera=lambda: [broken]) == [broken]


@pytest.mark.parametrize(
    ("model", "ribbon"), [("Raspberry Pi 4 Model B", True), ("Raspberry Pi 5 Model B", True), (None, False)]
)
def test_no_camera_at_all(machine: Callable[..., Board], model: str | None, ribbon: bool) -> None:
    board = machine({"video10": "bcm2835-codec-decode"} if model else {}, model)
    (found,) = cameras(board, query=saying(), libcamera=nothing)
    assert told([found]) == [("warning", "none found")]
    assert ("ribbon cable" in (found.advice or "")) == ribbon


def test_cameras_that_cannot_be_opened(machine: Callable[..., Board]) -> None:
    board = machine({"video0": "C920", "video1": "C920", "video2": "Gone", "video4": ""})
    query = saying(video0=errno.EACCES, video1=errno.EPERM, video2=errno.ENODEV, video4=errno.EIO)
    found = cameras(board, query=query, libcamera=nothing)
    # Of a camera that may not be opened nobody can tell which of its device files gives the pictures.
    assert told(found) == [
        ("warning", "video2 (Gone) cannot be opened: No such device"),
        ("warning", "video4 cannot be opened: Input/output error"),
        ("failure", "this user may not open video0 (C920), video1 (C920)"),
    ]
    assert "usermod -aG video" in (found[-1].advice or "")


def test_names_of_another_kind_are_left_out(machine: Callable[..., Board]) -> None:
    (found,) = cameras(machine({"video": "", "video-1": "", "videox": ""}), query=saying(), libcamera=nothing)
    assert found.found == "none found"


@contextlib.contextmanager
def another_user(folder: Path) -> Iterator[None]:
    """Be a user whom modes keep out, but from looking into a folder; root is let in by all modes."""
    if os.geteuid():
        yield
        return
    closed = {one: one.stat().st_mode for one in (folder, *folder.parents) if one.stat().st_mode & 0o111 != 0o111}
    for one, mode in closed.items():
        one.chmod(mode | 0o111)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        for one, mode in closed.items():
            one.chmod(mode)


def test_devices_that_this_user_may_not_use(machine: Callable[..., Board], tmp_path: Path) -> None:
    board = machine({"video0": "C920", "video1": "C920", "media0": "", "vcio": "", "dma_heap/system": ""})
    for device in ("video0", "media0", "vcio", "dma_heap/system"):
        (tmp_path / "dev" / device).chmod(0)
    (tmp_path / "dev/video1").chmod(0o666)

    def query(device: Path) -> Capability:
        return v4l2.query(device) if device.name == "video0" else Capability("uvcvideo", "C920", True)

    with another_user(tmp_path):
        (found,) = permission(board.root)
        *_, last = cameras(board, query=query, libcamera=nothing)
    denied = "/dev/video0, /dev/media0, /dev/dma_heap/system and 1 more"
    assert told([found]) == [("warning", f"this user may not use {denied}")]
    assert told([last]) == [("failure", "this user may not open video0 (C920)")]


def test_devices_that_this_user_may_use(machine: Callable[..., Board]) -> None:
    board = machine({"video0": "", "vcio": ""})
    assert told(permission(board.root)) == [("ok", "this user may use all 2 devices")]


def test_no_devices(tmp_path: Path) -> None:
    assert told(permission(tmp_path)) == [("ok", "there is no device that needs the group video")]
