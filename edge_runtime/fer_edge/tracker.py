"""Faces followed from frame to frame by overlap."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fer_edge.box import Box
from fer_edge.types import Track


@dataclass
class _Followed:
    number: int
    box: Box
    missed: int = 0


class IouTracker:
    """Gives a box the number of the box that it overlaps most in the frames before.

    Example:
        >>> tracker = IouTracker()
        >>> tracker.update([Box(10, 10, 50, 50)])
        (Track(number=1, box=Box(x=10, y=10, width=50, height=50)),)
    """

    def __init__(self, *, overlap: float = 0.3, patience: int = 5) -> None:
        """Start without tracks.

        Args:
            overlap: Intersection over union from which a box continues a track, 0..1.
            patience: Frames that a track may go unseen before its number is given up.
        """
        self.overlap = overlap
        self.patience = patience
        self._followed: list[_Followed] = []
        self._numbers_given = 0

    def update(self, boxes: Iterable[Box]) -> tuple[Track, ...]:
        """Take the boxes of the next frame and give one track a box, by number.

        The pairs that overlap most are joined first (greedy matching).
        """
        unmatched = list(boxes)
        pairs = sorted(
            ((track.box.overlap(box), track, box) for track in self._followed for box in unmatched),
            key=lambda pair: -pair[0],
        )
        seen: list[_Followed] = []
        for overlap, track, box in pairs:
            if overlap >= self.overlap and box in unmatched and track not in seen:
                unmatched.remove(box)
                track.box, track.missed = box, 0
                seen.append(track)
        for track in self._followed:
            if track not in seen:
                track.missed += 1
        for box in unmatched:
            self._numbers_given += 1
            seen.append(_Followed(self._numbers_given, box))
        lost = [track for track in self._followed if track not in seen and track.missed <= self.patience]
        self._followed = seen + lost
        return tuple(Track(track.number, track.box) for track in sorted(seen, key=lambda track: track.number))
