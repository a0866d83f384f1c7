from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_edge.box import Box
from fer_edge.detectors.haar import HaarDetector
from fer_edge.settings.detectors import HaarSettings
from fer_edge.settings.loop import TrackerSettings
from fer_edge.sources import open_source
from fer_edge.tracker import Tracker
from fer_edge.types import Track

LEFT, RIGHT = Box(0, 0, 50, 50), Box(100, 0, 50, 50)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (Box(0, 0, 10, 10), Box(0, 0, 10, 10), 1.0),
        (Box(0, 0, 10, 10), Box(10, 0, 10, 10), 0.0),
        (Box(0, 0, 10, 10), Box(50, 50, 10, 10), 0.0),
        (Box(0, 0, 10, 10), Box(5, 0, 10, 10), 50 / 150),
        (Box(0, 0, 10, 10), Box(2, 2, 5, 5), 25 / 100),
        (Box(-5, -5, 10, 10), Box(0, 0, 10, 10), 25 / 175),
        (Box(3, 3, 0, 0), Box(3, 3, 0, 0), 0.0),
    ],
)
def test_overlap(one: Box, other: Box, overlap: float) -> None:
    assert one.overlap(other) == pytest.approx(overlap)
    assert other.overlap(one) == pytest.approx(overlap)


GRAY = np.zeros((100, 200), np.uint8)
FRAME_S = 1 / 30


class World:
    """A detector that knows where the faces of each frame are, and how often it was asked."""

    def __init__(self, *faces: Box) -> None:
        self.faces = list(faces)
        self.searches = 0
        self.follows = 0

    def detect(self, gray: npt.NDArray[np.uint8]) -> list[Box]:
        """Give them all."""
        assert gray is GRAY
        self.searches += 1
        return list(self.faces)

    def follow(self, gray: npt.NDArray[np.uint8], box: Box) -> Box | None:
        """Give the one nearby."""
        assert gray is GRAY
        self.follows += 1
        return max((face for face in self.faces if face.overlap(box) > 0.5), key=box.overlap, default=None)


def watch(world: World, frames: list[list[Box]], **settings: float) -> list[tuple[Track, ...]]:
    """Show frame after frame to a tracker."""
    tracker, found = Tracker(world, TrackerSettings(**settings)), []  # type: ignore[arg-type]
    for number, faces in enumerate(frames):
        world.faces = faces
        found.append(tracker.update(GRAY, number * FRAME_S))
    return found


@pytest.mark.parametrize("search_frames", [1, 15])
@pytest.mark.parametrize(
    ("frames", "tracks"),
    [
        ([[]], [()]),
        # A face that moves keeps its number, whatever the order of the boxes.
        (
            [[LEFT, RIGHT], [Box(105, 0, 50, 50), Box(5, 0, 50, 50)]],
            [(Track(1, LEFT), Track(2, RIGHT)), (Track(1, Box(5, 0, 50, 50)), Track(2, Box(105, 0, 50, 50)))],
        ),
        # One that jumps is new.
        ([[LEFT], [RIGHT]], [(Track(1, LEFT),), (Track(2, RIGHT),)]),
    ],
    ids=["nobody", "moves", "jumps"],
)
def test_following(frames: list[list[Box]], tracks: list[tuple[Track, ...]], search_frames: int) -> None:
    assert watch(World(), frames, search_frames=search_frames) == tracks


def test_the_pair_that_overlaps_most_is_joined_first_and_no_number_is_given_twice() -> None:
    near, far = Box(5, 0, 50, 50), Box(25, 0, 50, 50)
    frames = [[LEFT], [far, near], [RIGHT], [RIGHT, LEFT]]
    first, second, third, fourth = watch(World(), frames, search_frames=1, overlap=0.3)
    assert first == (Track(1, LEFT),)
    assert second == (Track(1, near),)  # the other overlaps it too much to be another face
    assert third == (Track(3, RIGHT),)
    assert fourth == (Track(3, RIGHT), Track(4, LEFT))


def test_between_searches_of_the_whole_picture_faces_are_followed() -> None:
    world = World()
    watch(world, [[LEFT]] * 31, search_frames=10, search_s=100)
    assert (world.searches, world.follows) == (4, 27)


def test_time_calls_for_a_search_as_well() -> None:
    world = World()
    watch(world, [[LEFT]] * 31, search_frames=1000, search_s=0.5)
    # At 0, 0.5 and 1 s.
    assert world.searches == 3


def test_without_a_face_every_frame_is_searched() -> None:
    world = World()
    watch(world, [[]] * 5)
    assert world.searches == 5


@pytest.fixture
def textured(monkeypatch: pytest.MonkeyPatch) -> npt.NDArray[np.uint8]:
    """Give a picture in which each part differs from the others, for `World` as well."""
    small = np.random.default_rng(3).integers(0, 256, (25, 50), np.uint8)
    picture = np.asarray(cv2.resize(small, (200, 100), interpolation=cv2.INTER_CUBIC), np.uint8)
    monkeypatch.setitem(globals(), "GRAY", picture)
    return picture


@pytest.mark.parametrize(
    ("look_frames", "look_s", "looks"), [(1, 100.0, 20), (5, 100.0, 4), (100, 100.0, 0), (100, 4.01 * FRAME_S, 4)]
)
def test_between_looks_a_face_is_where_its_picture_is(
    look_frames: int, look_s: float, looks: int, textured: npt.NDArray[np.uint8]
) -> None:
    world = World()
    limits = {"search_frames": 1000, "search_s": 100, "look_frames": look_frames, "look_s": look_s}
    found = watch(world, [[LEFT]] * 21, **limits)
    assert found == [(Track(1, LEFT),)] * 21
    assert (world.searches, world.follows) == (1, looks)


def test_where_its_picture_is_not_the_detector_looks(
    textured: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = Tracker(World(LEFT))
    tracker.update(GRAY, 0.0)
    monkeypatch.setitem(globals(), "GRAY", np.ascontiguousarray(textured[::-1, ::-1]))
    assert tracker.update(GRAY, FRAME_S) == (Track(1, LEFT),)
    assert isinstance(tracker.detector, World)
    assert (tracker.detector.searches, tracker.detector.follows) == (1, 1)


def test_a_picture_proves_nothing_against_a_search(textured: npt.NDArray[np.uint8]) -> None:
    found = watch(World(), [[LEFT], [LEFT], [LEFT], []], search_frames=3, search_s=100)
    assert [len(tracks) for tracks in found] == [1, 1, 1, 0]


def test_a_new_face_is_found_by_the_next_search() -> None:
    found = watch(World(), [[LEFT], *([[LEFT, RIGHT]] * 10)], search_frames=4, search_s=100)
    assert [len(tracks) for tracks in found] == [1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2]


def test_a_lost_face_calls_for_a_search_at_once() -> None:
    world = World()
    # It was seen for a second, so that it may be missed for a moment.
    found = watch(world, [*([[LEFT]] * 31), [], [RIGHT]], search_frames=1000, search_s=100)
    assert found[30] == (Track(1, LEFT),)
    assert found[31] == (Track(1, LEFT),)
    assert found[32] == (Track(1, LEFT), Track(2, RIGHT))
    assert world.searches == 3


@pytest.mark.parametrize(("missed", "number"), [(0, 1), (5, 1), (6, 1), (7, 2)])
def test_patience(missed: int, number: int) -> None:
    frames = [*([[LEFT]] * 31), *([[]] * missed), [LEFT]]
    assert watch(World(), frames, patience_s=0.21)[-1] == (Track(number, LEFT),)


@pytest.mark.parametrize(("seen", "kept"), [(1, 0), (10, 3), (20, 6)])
def test_a_face_is_believed_in_for_a_share_of_its_time(seen: int, kept: int) -> None:
    found = watch(World(), [*([[LEFT]] * (seen + 1)), *([[]] * 20)], patience_s=10, trust=0.301)
    assert [bool(tracks) for tracks in found[seen + 1 :]] == [True] * kept + [False] * (20 - kept)


def test_patience_starts_anew_when_the_face_is_seen() -> None:
    frames = [[LEFT]] * 31 + [[], [LEFT]] * 20
    assert set(watch(World(), frames, patience_s=0.05)) == {(Track(1, LEFT),)}


def test_pictures_that_stand_alone_share_no_faces() -> None:
    world, tracker = World(LEFT), None
    tracker = Tracker(world)
    assert tracker.update(GRAY, None) == (Track(1, LEFT),)
    assert tracker.update(GRAY, None) == (Track(2, LEFT),)
    world.faces = []
    assert tracker.update(GRAY, None) == ()
    assert world.searches == 3


def test_a_source_that_begins_anew_is_searched() -> None:
    world = World(LEFT)
    tracker = Tracker(world)
    for at_s in (7.0, 7.1, 0.0, 0.1):
        tracks = tracker.update(GRAY, at_s)
    assert [track.box for track in tracks] == [LEFT]
    assert world.searches == 2


def test_a_camera_that_changes_its_size_is_searched(shared_data: Callable[[str], Path]) -> None:
    gray = cv2.imread(str(shared_data("photos/skimage_astronaut.png")), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    tracker, large = Tracker(HaarDetector()), np.asarray(gray, np.uint8)
    (first,) = tracker.update(large, 0.0)
    small = np.asarray(large[: first.box.y, :], np.uint8)
    assert tracker.update(small, 0.03) == ()
    (again,) = tracker.update(large, 0.06)
    assert (again.number, again.box) == (2, first.box)


def test_two_that_come_to_follow_the_same_face_become_one() -> None:
    middle = Box(30, 0, 50, 50)
    world = World(Box(0, 0, 50, 50), Box(60, 0, 50, 50))
    tracker = Tracker(world, TrackerSettings(overlap=0.4))
    assert len(tracker.update(GRAY, 0.0)) == 2
    world.follow = lambda gray, box: middle  # type: ignore[method-assign]
    assert tracker.update(GRAY, FRAME_S) == (Track(1, middle),)


def seen(video: Path, detector: HaarDetector, settings: TrackerSettings) -> list[list[Box]]:
    tracker = Tracker(detector, settings)
    with open_source(str(video)) as source:
        return [[track.box for track in tracker.update(frame.gray, frame.at_s)] for frame in source]


# What published notebooks search each frame with.
FULL = HaarSettings(scale_factor=1.1, neighbors=5, working_width=10_000)


def full_search(video: Path) -> list[list[Box]]:
    """Search each frame as a whole for faces of 60 pixels and more."""
    with open_source(str(video)) as source:
        detector, found = HaarDetector(FULL), []
        for frame in source:
            boxes = detector.detect(frame.gray)
            found.append([box for box in boxes if box.width >= 60])
    return found


@pytest.mark.parametrize("name", ["single_face.mp4", "head_pose_male.gif"])
def test_faces_are_where_a_search_of_every_frame_finds_them(name: str, shared_data: Callable[[str], Path]) -> None:
    video = shared_data(f"video/{name}")
    theirs, ours = full_search(video), seen(video, HaarDetector(), TrackerSettings())
    there = [number for number, boxes in enumerate(theirs) if boxes]
    agreed = [n for n in there if any(one.overlap(other) >= 0.5 for one in ours[n] for other in theirs[n])]
    assert len(there) > 50
    assert len(agreed) >= 0.98 * len(there)
    # One man, all along: nobody else is invented.
    assert max(map(len, ours)) == 1


def test_no_more_is_invented_than_by_a_search_of_every_frame(shared_data: Callable[[str], Path]) -> None:
    video = shared_data("video/no_face.mp4")
    ours = seen(video, HaarDetector(), TrackerSettings())
    every = seen(video, HaarDetector(), TrackerSettings(search_frames=1, patience_s=0))
    assert sum(map(bool, ours)) <= max(1, sum(map(bool, every)))


def test_a_face_is_followed_through_scales_and_to_the_border(shared_data: Callable[[str], Path]) -> None:
    gray = cv2.imread(str(shared_data("photos/skimage_astronaut.png")), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    detector = HaarDetector()
    (start,) = detector.detect(np.asarray(gray, np.uint8))
    box: Box | None = start
    for number in range(1, 40):
        scale = 1 + 0.02 * number
        larger = np.asarray(cv2.resize(gray, None, fx=scale, fy=scale), np.uint8)
        assert box is not None
        box = detector.follow(larger, box)
        assert box is not None
        assert box.overlap(Box(*(round(scale * value) for value in start))) > 0.5
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= larger.shape[1]
    assert detector.follow(np.full((100, 100), 128, np.uint8), Box(20, 20, 50, 50)) is None
    assert detector.follow(np.full((100, 100), 128, np.uint8), Box(200, 20, 50, 50)) is None
