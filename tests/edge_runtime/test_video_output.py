"""Annotated videos and pictures, read back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from fer_edge.box import Box
from fer_edge.errors import FerError, UsageError
from fer_edge.preprocessing import Pixels
from fer_edge.settings.outputs import OutputSettings, VideoSettings
from fer_edge.sinks import LostError, open_sinks
from fer_edge.sinks._drawing import annotate
from fer_edge.sinks._film import Film, free_path, rate_of
from fer_edge.sinks.video import PicturesSink, VideoSink
from fer_edge.types import Face, Frame, Result

Make = Callable[..., Result]
MakeFrame = Callable[..., Frame]
FACE = Face(1, Box(40, 60, 80, 90), {"happy": 0.9, "sad": 0.1})


def shade(value: int, width: int = 320, height: int = 240) -> Pixels:
    return np.full((height, width, 3), value, np.uint8)


def read(path: Path) -> tuple[float, list[Pixels]]:
    """Give the rate and all pictures of a video."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    assert video.isOpened(), path
    pictures = []
    while (got := video.read())[0]:
        pictures.append(np.asarray(got[1], np.uint8))
    return video.get(cv2.CAP_PROP_FPS), pictures


def shades(path: Path) -> list[int]:
    """Tell the pictures of a video apart by a corner in which nothing is drawn."""
    return [round(float(picture[-20:, -20:].mean())) for picture in read(path)[1]]


def chosen(path: Path | str, **changes: object) -> OutputSettings:
    return OutputSettings(video=VideoSettings(**{"path": str(path), "min_free_mb": 1.0, **changes}))  # type: ignore[arg-type]


def test_the_drawing(make_result: Make) -> None:
    image = shade(100)
    drawn = annotate(image, make_result(0, FACE))
    assert (image == 100).all(), "the picture of others is left alone"
    changed = (drawn != 100).any(axis=2)
    # The box's corners are green, its inside is as it was, and the text stands above it.
    assert drawn[60, 40].tolist() == drawn[149, 119].tolist() == [80, 220, 80]
    assert not changed[75:140, 50:110].any()
    assert changed[45:58, 40:].any()
    assert not changed[160:].any()
    gray = annotate(np.full((240, 320), 100, np.uint8), make_result(0, FACE))
    assert (gray == drawn).all()


@pytest.mark.parametrize("box", [Box(0, 0, 40, 40), Box(300, 0, 19, 30), Box(310, 230, 10, 10), Box(0, 0, 320, 240)])
def test_text_stays_within_the_picture(make_result: Make, box: Box) -> None:
    drawn = annotate(shade(0), make_result(0, replace(FACE, box=box)))
    black_on_green = (drawn == 0).all(axis=2) & (np.roll(drawn, 1, axis=1)[..., 1] > 100)
    assert black_on_green.sum() > 20, "the text can be read"


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi"])
def test_a_video_of_a_video(make_result: Make, make_frame: MakeFrame, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"out{suffix}"
    with open_sinks(["video"], chosen(path), live=False) as outputs:
        for number in range(50):
            frame = replace(make_frame(number, image=shade(4 * number)), at_s=number / 25)
            outputs.write(make_result(number, FACE), frame)
    rate, pictures = read(path)
    assert rate == pytest.approx(25)
    assert len(pictures) == 50
    for number, value in enumerate(shades(path)):
        assert value == pytest.approx(4 * number, abs=6)
    assert np.linalg.norm(pictures[10][60, 60:110].astype(float) - [80, 220, 80], axis=1).max() < 90


def test_a_camera_that_drops_frames_keeps_its_time(make_result: Make, make_frame: MakeFrame, tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    sink = VideoSink(chosen(path).video, live=True)
    jitter = np.random.default_rng(1).uniform(-0.005, 0.005, 400)
    with sink:
        # The loop takes every third of 30 frames a second, for ten seconds; then nothing for a minute.
        for number in [*range(0, 300, 3), *range(2100, 2130, 3)]:
            value = 200 if number >= 2100 else 50
            frame = replace(make_frame(number, image=shade(value)), at_s=1000 + number / 30 + jitter[number % 400])
            sink.write(make_result(number), frame)
    rate, pictures = read(path)
    assert rate == pytest.approx(30, rel=0.02)
    assert len(pictures) / rate == pytest.approx(11, abs=0.5)


def test_a_rate_that_is_asked_for(make_result: Make, make_frame: MakeFrame, tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    with open_sinks(["video"], chosen(path, fps=10), live=False) as outputs:
        for number in range(60):
            outputs.write(make_result(number), make_frame(number, image=shade(4 * number)))
    rate, pictures = read(path)
    assert rate == pytest.approx(10)
    # Two seconds, and the beginning of the next picture.
    assert len(pictures) in (20, 21)


@pytest.mark.parametrize(
    ("times", "rate"),
    [
        ([(0, 0.0), (1, 1001 / 30000)], 29.97),
        ([(5, 2.0), (8, 2.1), (14, 2.3)], 30.0),
        ([(0, None)], 1.0),
        ([(0, 1.0)], 30.0),
        ([(0, 1.0), (1, 1.0)], 30.0),
        ([(0, 0.0), (1, 1e-6)], 240.0),
        ([(0, 0.0), (1, 1e6)], 0.1),
    ],
)
def test_the_rate_of_a_source(times: list[tuple[int, float | None]], rate: float) -> None:
    assert rate_of(times) == rate


def test_another_size_begins_another_file(make_result: Make, make_frame: MakeFrame, tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    path.write_text("an older video")
    sizes = [(320, 240)] * 5 + [(160, 120)] * 4 + [(320, 240)] * 3
    with open_sinks(["video"], chosen(path), live=False) as outputs:
        for number, size in enumerate(sizes):
            outputs.write(make_result(number), make_frame(number, image=shade(90, *size)))
    assert path.read_text() == "an older video"
    shapes = [[picture.shape for picture in read(tmp_path / f"out-{n}.mkv")[1]] for n in (2, 3, 4)]
    assert shapes == [[(240, 320, 3)] * 5, [(120, 160, 3)] * 4, [(240, 320, 3)] * 3]
    assert free_path(path).name == "out-5.mkv"


def test_a_clock_that_begins_anew(tmp_path: Path) -> None:
    film = Film(tmp_path / "out.mkv", 10.0, (320, 240), timed=True)
    for at_s in (5.0, 5.1, 5.3, 0.0, 0.1, 100.0, 100.1):
        film.add(shade(50), at_s)
    film.close()
    # One was missing at 5.2; the jumps back and ahead are left out.
    assert len(read(film.path)[1]) == 8


def test_pictures_of_a_camera_and_of_a_folder(make_result: Make, make_frame: MakeFrame, tmp_path: Path) -> None:
    frame = make_frame(7, image=shade(90))
    for live, given, name in (
        (True, frame, "20261121T201502.113Z-00000007.jpg"),
        (False, frame, "00000007.jpg"),
        (False, replace(frame, at_s=None, source="obama.jpg"), "00000007-obama.jpg"),
    ):
        folder = tmp_path / f"pictures-{name}.d"
        with open_sinks(["video"], chosen(f"{folder}/"), live=live) as outputs:
            outputs.write(make_result(7, FACE), given)
        assert [path.name for path in folder.iterdir()] == [name]
        picture = cv2.imread(str(folder / name))
        assert picture is not None
        assert picture.shape == (240, 320, 3)
        assert abs(picture[60, 80].astype(int) - [80, 220, 80]).max() < 60


def test_a_folder_that_vanishes(make_result: Make, make_frame: MakeFrame, tmp_path: Path) -> None:
    folder, frame, now = tmp_path / "pictures", make_frame(0, image=shade(90)), [1000.0]
    with PicturesSink(chosen(folder).video, live=False, clock=lambda: now[0]) as sink:
        sink.write(make_result(0), frame)
        shutil.rmtree(folder)
        folder.write_text("in the way")
        for _ in range(3):
            with pytest.raises(LostError, match=r"^cannot write .*/pictures: "):
                sink.write(make_result(1), frame)
        folder.unlink()
        now[0] += 2.0
        sink.write(make_result(2), frame)
    assert len(list(folder.iterdir())) == 1


def test_a_video_that_vanishes(make_result: Make, make_frame: MakeFrame, tmp_path: Path) -> None:
    folder, now = tmp_path / "videos", [1000.0]
    with VideoSink(chosen(folder / "out.mkv", fps=10).video, live=False, clock=lambda: now[0]) as sink:
        for number in range(40):
            sink.write(make_result(number), replace(make_frame(number, image=shade(90)), at_s=number / 10))
            now[0] += 0.1
            if number == 9:
                shutil.rmtree(folder)
    # It is looked at once a second: the second of those that had been under way is gone with the file.
    assert 19 <= len(read(folder / "out.mkv")[1]) <= 30


@pytest.mark.parametrize("name", ["out.mkv", "pictures"])
def test_a_disk_without_room(make_result: Make, make_frame: MakeFrame, tmp_path: Path, name: str) -> None:
    told: list[str] = []
    opened = open_sinks(["video"], chosen(tmp_path / name, min_free_mb=1e9), live=False, tell=told.append)
    with pytest.raises(FerError, match="the output video lacks 5 results"), opened as outputs:  # noqa: PT012
        for number in range(5):
            outputs.write(make_result(number), make_frame(number, image=shade(90)))
    assert outputs.lost == {"video": 5}
    assert len(told) == 2
    assert told[0].startswith(f"the output video loses results: cannot write {tmp_path / name}: only ")
    assert told[0].endswith(" MB are free, of video.min_free_mb 1000000000")


def test_a_picture_that_cannot_be_encoded_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"this OpenCV cannot encode \.mkv of 0x0"):
        Film(tmp_path / "out.mkv", 10.0, (0, 0), timed=False)
    assert list(tmp_path.iterdir()) == []


def test_a_video_whose_process_is_killed_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "out.mkv"
    code = (
        "import itertools, numpy as np\n"
        "from pathlib import Path\n"
        "from fer_edge.sinks._film import Film\n"
        f"film = Film(Path({str(path)!r}), 30.0, (320, 240), timed=False)\n"
        "draw = np.random.default_rng(1)\n"
        "for _ in itertools.count():\n"
        "    film.add(draw.integers(0, 256, (240, 320, 3), np.uint8), None)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], env=os.environ) as process:
        deadline = time.monotonic() + 60
        while not path.exists() or path.stat().st_size < 3_000_000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert len(read(path)[1]) > 10


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("out.mov", UsageError, "video.path FOLDER/out.mov ends in .mov: give .mp4, .mkv, .avi, or a folder"),
        ("file/out.mkv", FerError, "cannot write FOLDER/file/out.mkv: File exists"),
        ("file/pictures", FerError, "cannot write FOLDER/file/pictures: Not a directory"),
    ],
)
def test_paths_that_cannot_be_meant(tmp_path: Path, path: str, error: type[FerError], said: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(error) as caught, open_sinks(["video"], chosen(tmp_path / path), live=False):
        pass
    assert str(caught.value).startswith(said.replace("FOLDER", str(tmp_path)))
