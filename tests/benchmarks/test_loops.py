from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from msgspec.structs import replace

from fer_bench import loops, results
from fer_edge import preprocessing
from fer_edge.box import Box
from fer_edge.classifier import Classifier
from fer_edge.errors import FerError, SourceError, UsageError
from fer_edge.images import read_color, read_gray
from fer_edge.loop import Loop
from fer_edge.sources import open_source
from fer_edge.types import Frame
from loop_stand_ins import NAMES, naive_boxes, use


def test_the_demo(measure: Callable[..., results.Loops]) -> None:
    pytest.importorskip("skimage", reason="needs scikit-image (extra demo)")
    found = measure("demo", 12)
    assert (found.source, found.model, found.size) == ("demo", "mine", (400, 300))
    assert tuple(loop.name for loop in found.loops) == NAMES
    first, *others = found.loops
    assert first.ratio is None
    for loop in found.loops:
        assert (loop.frames, loop.dropped) == (12, 0)
        # The face is whole in each frame.
        assert loop.faces >= 12
        assert list(loop.stages) == ["capture", "detect", "classify", "total", "age"]
        for stage in loop.stages.values():
            assert 0 < stage.p50 <= stage.p90 <= stage.p99 <= stage.maximum
        assert loop.stages["age"].p50 >= loop.stages["total"].p50 > loop.stages["detect"].p50
        # Not that of the loops which had the frame before.
        assert loop.stages["age"].p50 < 1.5 * loop.stages["total"].p50
    for loop in others:
        assert loop.ratio is not None
        assert loop.ratio.reference == "fer-edge"
        assert loop.ratio.time.low <= loop.ratio.time.value <= loop.ratio.time.high
    assert others[0].faces == others[1].faces
    assert found.search_ms > first.stages["detect"].p50
    for loop in found.loops:
        shares, total = loop.of_search, loop.stages["total"]
        assert shares.p50 <= shares.p99
        assert shares.p50 < total.p50 / found.search_ms
        assert shares.p99 < total.maximum / found.search_ms
        assert shares.mean < 1000 / loop.frames_per_second / found.search_ms
    # It contains that search.
    assert 0.5 < others[0].of_search.p50 < 2


def test_opencv_gets_as_many_threads_as_the_classifier(
    fast: list[str], measure: Callable[..., results.Loops], picture: Path
) -> None:
    before, seen = cv2.getNumThreads(), set()
    measure(picture, 3, step=lambda _frames: seen.add(cv2.getNumThreads()))
    assert (seen, cv2.getNumThreads()) == ({1}, before)


def test_the_naive_loop_may_have_a_model_of_its_own(
    fast: list[str], classifier: Classifier, model_path: Path, picture: Path
) -> None:
    asked = []

    class Other(Classifier):
        def classify(self, gray: npt.NDArray[np.uint8], box: Box) -> Any:
            asked.append(box)
            return super().classify(gray, box)

    other = Other.load(model_path, threads=1)
    found = loops.measure(str(picture), classifier, "mine", other, frames=4, seconds=0, seed=1, step=lambda _: None)
    assert len(asked) == 1 + 4
    assert other.metadata.name in found.loops[2].what


@pytest.mark.parametrize("name", ["skimage_astronaut.png", "pyfeat_multi_face.jpg", "no_face_cat.jpg"])
def test_the_naive_loop_finds_what_the_notebooks_find(
    name: str, shared_data: Callable[[str], Path], classifier: Classifier
) -> None:
    photo = shared_data(f"photos/{name}")
    image = read_color(photo)
    with open_source(str(photo)) as source:
        frame = next(iter(source))
    # A camera's own luma is nothing that the notebooks know of.
    result = loops.NotebookLoop(classifier).process(replace(frame, luma=np.zeros_like(read_gray(photo))))
    assert sorted(face.box for face in result.faces) == sorted(naive_boxes(image))
    gray = preprocessing.to_gray(image)
    assert [face.probabilities for face in result.faces] == [
        classifier.classify(gray, face.box) for face in result.faces
    ]


@pytest.mark.parametrize("shape", [(200, 300), (901, 1300), (30, 400), (29, 29), (1, 1)])
def test_the_naive_search_is_in_full_size_and_from_60_pixels(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[tuple[Any, dict[str, Any]]] = []

    class Fake:
        def load(self, _path: str) -> bool:
            return True

        def detectMultiScale(self, gray: npt.NDArray[np.uint8], **settings: Any) -> list[list[int]]:  # noqa: N802
            searched.append((gray.shape, settings))
            return []

    monkeypatch.setattr(cv2, "CascadeClassifier", Fake)
    detector = loops.FullSizeDetector()
    detector.detect(np.zeros((50, 50), np.uint8))
    detector.detect(np.zeros(shape, np.uint8))
    smallest = min(60, *shape)
    assert searched[1] == (shape, {"scaleFactor": 1.1, "minNeighbors": 5, "minSize": (smallest, smallest)})


def test_a_photo_without_a_face_is_given_again_and_again(
    shared_data: Callable[[str], Path], measure: Callable[..., results.Loops]
) -> None:
    found = measure(shared_data("photos/no_face_cat.jpg"), 3)
    assert [(loop.frames, loop.faces) for loop in found.loops] == [(3, 0)] * 3
    # Far more work: 1280 pixels in place of 640, and more sizes of faces.
    ratio = found.loops[2].ratio
    assert ratio is not None
    assert ratio.time.value > 2
    assert ratio.verdict == "slower"


def test_each_frame_of_a_video_is_given_to_each_loop(
    shared_data: Callable[[str], Path], measure: Callable[..., results.Loops], monkeypatch: pytest.MonkeyPatch
) -> None:
    video = shared_data("video/single_face.mp4")
    seen: dict[str, list[int]] = {name: [] for name in NAMES}

    class Looker:
        def __init__(self, name: str) -> None:
            self._seen = seen[name]

        def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
            self._seen.append(int(gray.sum()))
            return []

    use(monkeypatch, *map(Looker, NAMES))
    found = measure(video, 80)
    with open_source(str(video)) as source:
        sums = [int(preprocessing.to_gray(frame.image).sum()) for frame in source]
    assert len(sums) == 72
    # The first once more to warm up; then from the beginning again where it ends.
    assert all(mine == [sums[0], *sums, *sums[:8]] for mine in seen.values())
    assert (found.size, {loop.frames for loop in found.loops}) == ((640, 360), {80})


def test_each_loop_makes_its_own_grey_picture(
    fast: list[str], measure: Callable[..., results.Loops], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    to_gray = preprocessing.to_gray

    def counting(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        made.append(1)
        return to_gray(image)

    monkeypatch.setattr(preprocessing, "to_gray", counting)
    measure(picture, 7)
    assert len(made) >= 3 * 7
    assert len(fast) == 3 * 8


def test_the_order_is_drawn_anew_for_each_frame(
    fast: list[str], measure: Callable[..., results.Loops], picture: Path
) -> None:
    def orders(seed: int) -> list[tuple[str, ...]]:
        fast.clear()
        measure(picture, 60, seed=seed)
        return list(zip(*[iter(fast)] * 3, strict=True))

    first = orders(1)
    assert {tuple(sorted(order)) for order in first} == {NAMES}
    # Of the six orders each comes about ten times.
    assert len(set(first)) == 6
    assert orders(1) == first
    assert orders(2) != first


def test_each_loop_follows_faces_by_itself(
    fast: list[str], measure: Callable[..., results.Loops], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: dict[int, list[int]] = {}
    process = Loop.process

    def keeping(self: Loop, frame: Frame) -> Any:
        result = process(self, frame)
        kept.setdefault(id(self), []).extend(face.track for face in result.faces)
        return result

    monkeypatch.setattr(Loop, "process", keeping)
    found = measure(picture, 4)
    # Each picture stands alone, and no number is given twice.
    assert list(kept.values()) == [[1, 2, 3, 4, 5]] * 3
    # The warm-up does not count.
    assert [(loop.frames, loop.faces) for loop in found.loops] == [(4, 4)] * 3


def test_percentiles_are_frames_by_nearest_rank(
    fast: list[str], measure: Callable[..., results.Loops], picture: Path
) -> None:
    for loop in measure(picture, 2).loops:
        total = loop.stages["total"]
        # Of two frames the median is the faster one.
        assert total.p50 < total.p90 == total.p99 == total.maximum
        assert loop.frames_per_second == pytest.approx(2000 / (total.p50 + total.maximum))


@pytest.mark.parametrize(("slow", "verdict"), [("naive", "slower"), ("fer-edge", "faster")])
def test_the_verdict(
    slow: str, verdict: str, measure: Callable[..., results.Loops], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Detector:
        def __init__(self, name: str) -> None:
            self._seconds = 0.05 if name == slow else 0.0

        def detect(self, _gray: npt.NDArray[np.uint8]) -> list[Box]:
            time.sleep(self._seconds)
            return []

    use(monkeypatch, *map(Detector, NAMES))
    found = measure(picture, 10)
    ratio = found.loops[2].ratio
    assert ratio is not None
    assert (ratio.verdict, ratio.time.value > 1) == (verdict, verdict == "slower")


def test_the_frames_go_on_until_the_seconds_have_passed(
    fast: list[str], measure: Callable[..., results.Loops], picture: Path
) -> None:
    began = time.monotonic()
    found = measure(picture, 1, seconds=0.5)
    assert time.monotonic() - began >= 0.5
    assert found.loops[0].frames > 1


def test_a_slow_source_is_not_measured_for_ever(
    fast: list[str], measure: Callable[..., results.Loops], picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "_LONGEST_S", 0.3)
    assert 0 < measure(picture, 10**7).loops[0].frames < 10**6


def test_pictures_that_do_not_decode_are_told_once(
    fast: list[str],
    shared_data: Callable[[str], Path],
    measure: Callable[..., results.Loops],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "a.png").write_bytes(shared_data("photos/skimage_astronaut.png").read_bytes())
    (tmp_path / "b.png").write_text("no picture")
    assert measure(tmp_path, 5).loops[0].frames == 5
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "skipped: " in told[0]
    assert "b.png" in told[0]


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("absent.mp4", UsageError, "no source 'absent.mp4': give demo"),
        ("{folder}", SourceError, "no image in "),
        ("{text}", SourceError, "is not a video or image that can be decoded"),
        ("{photo}", SourceError, "broken.jpg"),
        ("picamera2:front", SourceError, "picamera2:front is no camera"),
        ("/dev/video987", SourceError, "no camera /dev/video987"),
    ],
)
def test_sources_that_are_none(
    source: str, kind: type[FerError], message: str, measure: Callable[..., results.Loops], tmp_path: Path
) -> None:
    folder, text, photo = tmp_path / "empty", tmp_path / "notes.txt", tmp_path / "broken.jpg"
    folder.mkdir()
    text.write_text("hello")
    photo.write_text("hello")
    with pytest.raises(kind) as caught:
        measure(source.format(folder=folder, text=text, photo=photo), 1)
    assert message in str(caught.value)
