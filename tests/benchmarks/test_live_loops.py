"""The loops on a camera, where each has its turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_bench import loops, results
from fer_edge.box import Box
from fer_edge.errors import FerError, SourceError
from fer_edge.images import read_gray
from fer_edge.sources import v4l2
from fer_edge.sources.image import ImageSource
from fer_edge.types import Frame
from loop_stand_ins import FACE, NAMES, ScriptedCamera, naive_boxes, use


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedCamera]:
    scripted = ScriptedCamera()
    monkeypatch.setattr(v4l2, "create", lambda place, stop, settings: scripted)
    yield scripted
    scripted.stop()


def test_drops_and_ages_of_a_live_source_are_told_by_loop(
    camera: ScriptedCamera, measure: Callable[..., results.Loops], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow:
        """As slow as it takes the camera to take so many pictures."""

        def __init__(self, pictures: int, age_s: int) -> None:
            self._pictures, self._age_s = pictures, age_s

        def detect(self, _gray: npt.NDArray[np.uint8]) -> list[Box]:
            camera.shoot(self._pictures, self._age_s)
            return [FACE]

        def follow(self, gray: npt.NDArray[np.uint8], box: Box) -> Box | None:
            return max(self.detect(gray), key=box.overlap)

    use(monkeypatch, Slow(1, 0), Slow(3, 1000), Slow(6, 5000))
    monkeypatch.setattr(loops, "_TURN_S", 0.0)
    found = measure("0", 7)
    assert found.size == (640, 480)
    # A turn of no time has one frame, and before it one that does not count, for it waited for another loop: its drops
    # are those of the loop whose turn it is.
    assert [(loop.frames, loop.faces, loop.dropped) for loop in found.loops] == [
        (7, 7, 0),
        (7, 7, 7 * 2 * 2),
        (7, 7, 7 * 2 * 5),
    ]
    for loop, age_s in zip(found.loops, (0, 1000, 5000), strict=True):
        for age_ms in (loop.stages["age"].p50, loop.stages["age"].maximum):
            assert 1000 * age_s < age_ms < 1000 * (age_s + 500)


def test_the_loops_take_turns_on_a_live_source(
    camera: ScriptedCamera, measure: Callable[..., results.Loops], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    class Caller:
        def __init__(self, name: str) -> None:
            self._name = name

        def detect(self, _gray: npt.NDArray[np.uint8]) -> list[Box]:
            calls.append(self._name)
            camera.shoot(1, 0)
            return []

    use(monkeypatch, *map(Caller, NAMES))
    monkeypatch.setattr(loops, "_TURN_S", 3.0)
    found = measure("0", 12)
    # Each of five turns has its share of the frames.
    turns = [name for number, name in enumerate(calls[3:]) if number == 0 or name != calls[3:][number - 1]]
    assert calls[:3] == list(NAMES)
    assert 3 * 5 - 4 <= len(turns) <= 3 * 5
    assert [loop.frames for loop in found.loops] == [5 * 3] * 3
    # The warm-up and the first of each turn do not count.
    assert len(calls) == 3 * (1 + 5 * (1 + 3))


def test_the_real_loops_on_a_live_source(
    camera: ScriptedCamera,
    shared_data: Callable[[str], Path],
    measure: Callable[..., results.Loops],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    portrait = read_gray(shared_data("photos/skimage_astronaut.png"))
    camera.gray = np.zeros((480, 640), np.uint8)
    camera.gray[:, :512] = portrait[:480]
    monkeypatch.setattr(loops, "_TURN_S", 0.0)

    def free() -> None:
        time.sleep(0.005)

    monkeypatch.setattr(camera, "wait", free)
    found = measure("0", 5)
    for loop in found.loops:
        assert (loop.frames, loop.stages["age"].p50 > loop.stages["detect"].p50) == (5, True)
        assert loop.faces >= loop.frames
    # Its search takes far longer than the camera from one picture to the next.
    assert found.loops[2].dropped > 0
    seen = np.asarray(cv2.cvtColor(camera.gray, cv2.COLOR_GRAY2BGR), np.uint8)
    assert found.loops[2].faces == 5 * len(naive_boxes(seen))


def test_a_camera_that_fails_is_told_and_released(
    camera: ScriptedCamera, measure: Callable[..., results.Loops], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> None:
        raise RuntimeError("the cable is out")

    monkeypatch.setattr(camera, "wait", gone)
    with pytest.raises(SourceError, match=r"^/dev/video0 failed: the cable is out$"):
        measure("0", 1)
    assert camera._closed


def test_a_camera_is_released_where_a_loop_fails(
    camera: ScriptedCamera, measure: Callable[..., results.Loops], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def detect(self, _gray: npt.NDArray[np.uint8]) -> list[Box]:
            raise FerError("broken")

    use(monkeypatch, Broken(), Broken(), Broken())
    with pytest.raises(FerError, match=r"^broken$") as caught:
        measure("0", 1)
    # Even while somebody holds the error, and so the frames.
    assert caught.tb is not None
    assert camera._closed


def test_a_live_source_that_ends_is_told(
    fast: list[str], measure: Callable[..., results.Loops], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageSource, "live", True)
    frame = Frame(0, "noise.png", np.zeros((99, 99), np.uint8), 0, datetime.now(UTC), 0.0)
    monkeypatch.setattr(ImageSource, "__iter__", lambda self: iter([frame] * 4))
    with pytest.raises(SourceError, match=r"noise.png ended before the loops were measured$"):
        measure(picture, 1)
