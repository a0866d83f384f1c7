from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge import open_source
from fer_edge.detectors import open_detector
from fer_edge.errors import FerError, SourceError, UsageError
from fer_edge.sources import resolve
from fer_edge.types import Frame

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a working folder with a picture, a film, a file without a suffix and a folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("picture.JPG", "film.mp4", "plain"):
        (tmp_path / name).touch()
    (tmp_path / "folder.jpg").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("spec", "resolved"),
    [
        ("demo", ("demo", "")),
        ("picamera2", ("picamera2", "")),
        ("picamera2:1", ("picamera2", "1")),
        ("0", ("v4l2", "0")),
        ("12", ("v4l2", "12")),
        ("/dev/video3", ("v4l2", "/dev/video3")),
        ("v4l2:/dev/video3", ("v4l2", "/dev/video3")),
        ("auto", ("auto", "")),
        ("rtsp://host:554/a?b=c", ("stream", "rtsp://host:554/a?b=c")),
        ("http://example.com/a.jpg", ("stream", "http://example.com/a.jpg")),
        ("*.JPG", ("folder", "*.JPG")),
        ("picture.JPG", ("image", "picture.JPG")),
        ("film.mp4", ("video", "film.mp4")),
        ("plain", ("video", "plain")),
        ("folder.jpg", ("folder", "folder.jpg")),
        ("image:plain", ("image", "plain")),
        ("video:a:b", ("video", "a:b")),
    ],
)
def test_what_a_user_means(places: Path, spec: str, resolved: tuple[str, str]) -> None:
    assert resolve(spec) == resolved


@pytest.mark.parametrize(
    "spec", ["", "nowhere", "nowhere/at/all.jpg", "v4l2", "ftp://example.com/a", "rtsp:host", "-1"]
)
def test_what_is_nothing(places: Path, spec: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(spec)
    assert str(caught.value) == (
        f"no source {spec!r}: give demo, auto, picamera2, a camera's number, an address such as rtsp://HOST/PATH, or "
        "the path of an image, a folder or a video"
    )


def test_a_name_longer_than_any_file(places: Path) -> None:
    with pytest.raises(UsageError) as caught:
        resolve("x" * 300)
    assert str(caught.value) == f"cannot look at {'x' * 80}: File name too long"


def frames_of(spec: str | Path) -> tuple[list[Frame], list[str]]:
    with open_source(str(spec)) as source:
        return list(source), source.skipped


def test_an_image(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), PICTURE)
    (frame,), skipped = frames_of(path)
    assert (frame.index, frame.source, frame.dropped, skipped) == (0, "picture.png", 0, [])
    np.testing.assert_array_equal(frame.image, PICTURE)
    np.testing.assert_array_equal(frame.gray, cv2.cvtColor(PICTURE, cv2.COLOR_BGR2GRAY))
    assert frame.captured_at.tzinfo is UTC
    assert frame.capture_ms > 0
    assert frame.captured_ns > 0


def test_a_folder_is_read_in_order_and_what_is_broken_is_named(tmp_path: Path) -> None:
    for name in ("b.png", "a.PNG", "d.jpg"):
        cv2.imwrite(str(tmp_path / name), PICTURE)
    (tmp_path / "c.jpg").write_text("hello")
    (tmp_path / "e.png").touch()
    (tmp_path / "f.jpg").mkdir()
    (tmp_path / "notes.txt").write_text("left alone")
    frames, skipped = frames_of(tmp_path)
    assert [(frame.index, frame.source) for frame in frames] == [(0, "a.PNG"), (1, "b.png"), (2, "d.jpg")]
    assert skipped == [
        f"{tmp_path / 'c.jpg'} is not an image that can be decoded, or is cut off",
        f"image {tmp_path / 'e.png'} is empty",
        f"cannot read image {tmp_path / 'f.jpg'}: Is a directory",
    ]


def test_a_pattern_of_pictures(tmp_path: Path) -> None:
    for name in ("b1.png", "a1.png", "a2.png", "a3.txt"):
        cv2.imwrite(str(tmp_path / name), PICTURE) if name.endswith("png") else (tmp_path / name).write_text("no")
    frames, skipped = frames_of(tmp_path / "a*")
    assert ([frame.source for frame in frames], skipped) == (["a1.png", "a2.png"], [])
    assert {frame.at_s for frame in frames} == {None}
    with pytest.raises(SourceError, match=r"no image in .*/c\*: looked for files ending in \.bmp"):
        frames_of(tmp_path / "c*")


def test_a_folder_in_which_nothing_decodes(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("hello")
    with pytest.raises(SourceError) as caught, open_source(str(tmp_path)) as source:
        list(source)
    assert str(caught.value) == f"none of the 2 images in {tmp_path} can be decoded"
    assert len(source.skipped) == 2


def test_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceError) as caught:
        open_source(str(tmp_path))
    assert str(caught.value) == (
        f"no image in {tmp_path}: looked for files ending in .bmp, .jpeg, .jpg, .png, .tif, .tiff, .webp"
    )


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no image in .*/gone: looked for files ending in"):
        open_source(f"folder:{tmp_path / 'gone'}")


def test_every_frame_of_a_video(shared_data: Callable[[str], Path]) -> None:
    frames, skipped = frames_of(shared_data("video/single_face.mp4"))
    assert [frame.index for frame in frames] == list(range(72))
    assert {(frame.source, frame.image.shape, frame.dropped) for frame in frames} == {
        ("single_face.mp4", (360, 640, 3), 0)
    }
    assert skipped == []
    # Times do not run backwards.
    assert all(one.captured_ns <= other.captured_ns for one, other in itertools.pairwise(frames))


def test_a_gif_is_a_video(shared_data: Callable[[str], Path]) -> None:
    frames, skipped = frames_of(shared_data("video/head_pose_male.gif"))
    assert (len(frames), skipped) == (62, [])


def test_a_video_that_is_cut_off_says_so(tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for number in range(30):
        writer.write(np.random.default_rng(number).integers(0, 256, (48, 64, 3), dtype=np.uint8))
    writer.release()
    assert len(frames_of(path)[0]) == 30
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames, skipped = frames_of(path)
    assert 5 < len(frames) < 25
    assert skipped == [f"{path} ends after {len(frames)} of 30 frames: it is cut off or damaged"]


@pytest.mark.parametrize("content", ["half", "text", "empty"])
def test_what_is_no_video(tmp_path: Path, shared_data: Callable[[str], Path], content: str) -> None:
    path = tmp_path / "film.mp4"
    whole = shared_data("video/single_face.mp4").read_bytes()
    # Its index stands at the end, so a half is none at all.
    path.write_bytes({"half": whole[: len(whole) // 2], "text": b"hello", "empty": b""}[content])
    with pytest.raises(FerError) as caught, open_source(str(path)) as source:
        list(source)
    assert str(path) in str(caught.value)


def test_a_camera_that_is_not_there() -> None:
    for spec in ("99", "/dev/video99"):
        with pytest.raises(SourceError, match=r"^no camera /dev/video99 \(video devices found: .*\): is it plugged in"):
            open_source(spec).__enter__()


def test_a_device_that_is_no_camera() -> None:
    with pytest.raises(SourceError, match=r"^camera /dev/null cannot be opened: "):
        open_source("/dev/null").__enter__()


def test_the_demo_is_the_same_each_time_and_its_face_stays_whole() -> None:
    pytest.importorskip("skimage", reason="needs scikit-image (extra demo)")
    runs = []
    for _ in range(2):
        with open_source("demo") as source:
            runs.append(list(itertools.islice(source, 201)))
    for one, other in zip(*runs, strict=True):
        assert (one.index, one.source, one.image.shape) == (other.index, "demo", (300, 400, 3))
        np.testing.assert_array_equal(one.image, other.image)
    # It moves, and after a round it begins again.
    np.testing.assert_array_equal(runs[0][0].image, runs[0][200].image)
    assert not np.array_equal(runs[0][0].image, runs[0][50].image)
    detector = open_detector("haar")
    found = {frame.index: len(detector.detect(frame.gray)) for frame in runs[0][:200:20]}
    assert set(found.values()) == {1}, found


def test_the_demo_without_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(SourceError, match=r"the demo needs its extra: pip install 'fer-edge\[demo\]'$"):
        open_source("demo", threading.Event()).__enter__()
