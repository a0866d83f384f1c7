from __future__ import annotations

import pytest

from fer_edge.box import Box
from fer_edge.tracker import IouTracker
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


@pytest.mark.parametrize(
    ("frames", "tracks"),
    [
        ([[]], [()]),
        # A face that moves keeps its number, whatever the order of the boxes.
        (
            [[LEFT, RIGHT], [Box(105, 0, 50, 50), Box(5, 0, 50, 50)]],
            [(Track(1, LEFT), Track(2, RIGHT)), (Track(1, Box(5, 0, 50, 50)), Track(2, Box(105, 0, 50, 50)))],
        ),
        # One that jumps is new; its old number is not given again.
        (
            [[LEFT], [RIGHT], [LEFT, RIGHT]],
            [(Track(1, LEFT),), (Track(2, RIGHT),), (Track(1, LEFT), Track(2, RIGHT))],
        ),
        # The pair that overlaps most is joined first.
        (
            [[Box(0, 0, 50, 50)], [Box(20, 0, 50, 50), Box(5, 0, 50, 50)]],
            [(Track(1, Box(0, 0, 50, 50)),), (Track(1, Box(5, 0, 50, 50)), Track(2, Box(20, 0, 50, 50)))],
        ),
        # The same box twice is two faces.
        ([[LEFT], [LEFT, LEFT]], [(Track(1, LEFT),), (Track(1, LEFT), Track(2, LEFT))]),
    ],
    ids=["nobody", "moves", "jumps", "best pair", "twice"],
)
def test_following(frames: list[list[Box]], tracks: list[tuple[Track, ...]]) -> None:
    tracker = IouTracker()
    assert [tracker.update(boxes) for boxes in frames] == tracks


@pytest.mark.parametrize(("missed", "number"), [(0, 1), (1, 1), (3, 1), (4, 2), (9, 2)])
def test_patience(missed: int, number: int) -> None:
    tracker = IouTracker(patience=3)
    tracker.update([LEFT])
    for _ in range(missed):
        assert tracker.update([]) == ()
    assert tracker.update([LEFT]) == (Track(number, LEFT),)


def test_patience_starts_anew_when_the_face_is_seen() -> None:
    tracker = IouTracker(patience=1)
    for boxes in ([LEFT], [], [LEFT], [], [LEFT]):
        seen = tracker.update(boxes)
    assert seen == (Track(1, LEFT),)


@pytest.mark.parametrize(("shift", "number"), [(24, 1), (26, 2)])
def test_the_least_overlap(shift: int, number: int) -> None:
    # Shifted by 25 of 75 pixels the boxes share half of what they cover together.
    tracker = IouTracker(overlap=0.5)
    tracker.update([Box(0, 0, 75, 75)])
    assert tracker.update([Box(shift, 0, 75, 75)]) == (Track(number, Box(shift, 0, 75, 75)),)
