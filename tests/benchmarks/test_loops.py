from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
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
from fer_edge.sources import open_source, v4l2
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.sources.image import ImageSource
from fer_edge.types import Frame

LONG_S = 30.0
FACE = Box(20, 20, 60, 60)
NAMES = ("fer-edge", "full-frame", "naive")


@pytest.fixture(scope="module")
def classifier(model_path: Path) -> Classifier:
    return Classifier.load(model_path, threads=1)


@pytest.fixture
def measure(classifier: Classifier) -> Callable[..., results.Loops]:
    def run(
        source: Path | str, frames: int, *, seconds: float = 0, seed: int = 1, step: Callable[[int], None] | None = None
    ) -> results.Loops:
        steps: list[int] = []
        found = loops.measure(
            str(source), classifier, "mine", frames=frames, seconds=seconds, seed=seed, step=step or steps.append
        )
        assert step or sum(steps) == frames
        return found

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Give a small one of nothing."""
    path = tmp_path / "noise.png"
    cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8))
    return path


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let three detectors that find one face search in place of the real ones, and keep who did."""
    calls: list[str] = []

    class Fast:
        def __init__(self, name: str) -> None:
            self._name = name

        def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
            assert gray.ndim == 2
            calls.append(self._name)
            return [FACE]

        def follow(self, gray: npt.NDArray[np.uint8], box: Box) -> Box | None:
            return max(self.detect(gray), key=box.overlap)

    use(monkeypatch, *map(Fast, NAMES))
    return calls


def use(monkeypatch: pytest.MonkeyPatch, *detectors: Any) -> None:
    """Put detectors into the loops."""
    made = loops._loops

    def with_others(classifier: Classifier, naive: Classifier, background: Any) -> Any:
        del background
        measured = made(classifier, naive, None)
        for one, detector in zip(measured, detectors, strict=True):
            one.loop.tracker.detector = detector
        return measured

    monkeypatch.setattr(loops, "_loops", with_others)


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


def naive_boxes(image: npt.NDArray[np.uint8]) -> list[Box]:
    """Search as the notebooks do, in their own few lines."""
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")  # type: ignore[attr-defined]
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return [Box(*map(int, box)) for box in cascade.detectMultiScale(gray, 1.1, 5, minSize=(60, 60))]


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


class ScriptedCamera:
    """A camera of 640 x 480 that takes as many pictures as it is told, whose age tells by whom."""

    live = True
    name = "/dev/video0"

    def __init__(self) -> None:
        self.gray = np.zeros((480, 640), np.uint8)
        self.skipped: list[str] = []
        self._changed = threading.Condition()
        self._script = [0]
        self._given = 1
        self._asked = 0
        self._closed = False
        self._age_s = 0

    def __enter__(self) -> ScriptedCamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __iter__(self) -> Iterator[Frame]:
        return newest_frames(self.name, self._shot, threading.Event(), LONG_S)

    def stop(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self) -> None:
        """Block until a picture is to be taken."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._script or self._closed, LONG_S)
            self._age_s = self._script.pop(0) if self._script else 0

    def _shot(self) -> Shot:
        self.wait()
        return Shot(self.gray.copy(), time.monotonic_ns() - self._age_s * 10**9, 0.1)

    def shoot(self, pictures: int, age_s: int) -> None:
        """Take pictures, and wait for the last one to be in the slot."""
        with self._changed:
            self._script += [age_s] * pictures
            self._given += pictures
            self._changed.notify_all()
            # It asks for another one when it has put the one before there.
            assert self._changed.wait_for(lambda: self._asked > self._given, LONG_S)


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
