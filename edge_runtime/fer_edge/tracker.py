"""Faces followed from frame to frame: a search of the whole picture now and then, in between one around each face.

A search of the whole picture costs some ten to a hundred times one around a face whose place and size are nearly known,
and that ten times what it takes to see where the same picture of a face has moved.
"""

from __future__ import annotations

from collections.abc import Sequence

from fer_edge.box import Box
from fer_edge.detectors import Detector
from fer_edge.preprocessing import Pixels
from fer_edge.searching import BackgroundSearch
from fer_edge.settings.loop import TrackerSettings
from fer_edge.template import Template
from fer_edge.types import Track


class _Followed:
    """A face that is followed.

    Attributes:
        number: Of its track.
        box: Where it was seen last.
        born_s: When it was seen first, seconds.
        seen_s: When it was seen last, seconds.
    """

    def __init__(self, number: int, box: Box, gray: Pixels, now: float) -> None:
        self.number = number
        self.born_s = now
        self.detected(box, gray, now)

    def detected(self, box: Box, gray: Pixels, now: float) -> None:
        """Take over what a detector has found."""
        self.box, self.seen_s = box, now
        self._template, self._looked_s, self._moves = Template(gray, box), now, 0

    def move(self, gray: Pixels, now: float, settings: TrackerSettings) -> bool:
        """Go where the picture of the face has moved; say no where a detector has to look."""
        self._moves += 1
        if self._moves >= settings.look_frames or now - self._looked_s >= settings.look_s:
            return False
        box = self._template.find(gray, self.box)
        if box is None:
            return False
        self.box, self.seen_s = box, now
        return True


class Tracker:
    """Finds the faces of one frame after the other and gives each the number that it had.

    A frame is searched as a whole at once where no face is followed or one is not seen.

    Example:
        >>> tracker = Tracker(open_detector("haar"))
        >>> tracker.update(gray, at_s=0.0)
        (Track(number=1, box=Box(x=218, y=64, width=96, height=96)),)
    """

    def __init__(
        self,
        detector: Detector,
        settings: TrackerSettings = TrackerSettings(),
        background: BackgroundSearch | None = None,
    ) -> None:
        """Start without tracks.

        Args:
            detector: Searches.
            settings: When and how long.
            background: Searches whole pictures in place of the detector, so that no frame waits for it; a new face is
                then found some frames later. None where each frame's result must depend on nothing but the frames.
        """
        self.detector = detector
        self.settings = settings
        self.background = background
        self._followed: list[_Followed] = []
        self._numbers_given = 0
        self._frames_since = 0
        self._searched_s: float | None = None
        self._now = 0.0
        self._shape: tuple[int, ...] = ()

    def renew(
        self, settings: TrackerSettings, detector: Detector | None = None, background: BackgroundSearch | None = None
    ) -> None:
        """Go on with other settings, and with another detector and search beside it where they are given."""
        self.settings = settings
        self.detector = detector or self.detector
        self.background = background or self.background

    def update(self, gray: Pixels, at_s: float | None) -> tuple[Track, ...]:
        """Find the faces of the next frame.

        Args:
            gray: [H, W] uint8.
            at_s: When the frame was taken by its source's clock, seconds; None for a picture that has nothing to do
                with the one before.

        Returns:
            One track a face, by number; of a face that is not seen for the moment, where it was last.
        """
        now = at_s or 0.0
        # Where a source began anew its clock did as well; a camera may change its size.
        if at_s is None or now < self._now or gray.shape != self._shape:
            self._followed, self._searched_s = [], None
        self._now, self._shape = now, gray.shape
        if self.background is None:
            if not self._is_due(now):
                self._follow(gray, self._followed, now)
            # A face is lost, or none was looked for.
            if not self._followed or any(one.seen_s != now for one in self._followed):
                self._searched(now)
                self._join(gray, self.detector.detect(gray), now)
        else:
            self._update_beside(self.background, gray, now)
        self._frames_since += 1
        self._followed = self._distinct([one for one in self._followed if self._is_believed(one, now)])
        return tuple(Track(one.number, one.box) for one in self._followed)

    def _is_due(self, now: float) -> bool:
        if self._searched_s is None or not self._followed or self._frames_since >= self.settings.search_frames:
            return True
        return now - self._searched_s >= self.settings.search_s

    def _follow(self, gray: Pixels, tracks: Sequence[_Followed], now: float) -> None:
        """Find faces close to where they were: by their pictures, or by a look of the detector."""
        self._look(gray, [track for track in tracks if not track.move(gray, now, self.settings)], now)

    def _look(self, gray: Pixels, tracks: Sequence[_Followed], now: float) -> None:
        for track in tracks:
            box = self.detector.follow(gray, track.box)
            if box is not None:
                track.detected(box, gray, now)

    def _update_beside(self, background: BackgroundSearch, gray: Pixels, now: float) -> None:
        """Follow, while the whole picture is searched in the background; take over what that has found."""
        self._follow(gray, self._followed, now)
        found = background.collect()
        if found is not None:
            # They were there some frames ago.
            moved = (self.detector.follow(gray, box) for box in found)
            self._join(gray, [box for box in moved if box is not None], now)
        lost = any(one.seen_s != now for one in self._followed)
        if (lost or self._is_due(now)) and not background.busy:
            self._searched(now)
            background.start(gray)

    def _searched(self, now: float) -> None:
        self._frames_since, self._searched_s = 0, now

    def _join(self, gray: Pixels, boxes: Sequence[Box], now: float) -> None:
        """Take the faces of a whole picture: what continues no track is a new one, a track not found is looked for."""
        pairs = sorted(
            ((track.box.overlap(box), place, track) for track in self._followed for place, box in enumerate(boxes)),
            key=lambda pair: -pair[0],
        )
        # The pairs that overlap most are joined first (greedy matching).
        joined: dict[int, _Followed] = {}
        for overlap, place, track in pairs:
            if overlap >= self.settings.overlap and place not in joined and track not in joined.values():
                track.detected(boxes[place], gray, now)
                joined[place] = track
        # A picture of a face proves nothing against a search that has not found it.
        self._look(gray, [one for one in self._followed if one not in joined.values() and one.seen_s != now], now)
        for place, box in enumerate(boxes):
            if place not in joined:
                self._numbers_given += 1
                self._followed.append(_Followed(self._numbers_given, box, gray, now))

    def _is_believed(self, track: _Followed, now: float) -> bool:
        settings = self.settings
        return now - track.seen_s <= min(settings.patience_s, settings.trust * (track.seen_s - track.born_s))

    def _distinct(self, tracks: Sequence[_Followed]) -> list[_Followed]:
        """Leave out the younger of two tracks that came to follow the same face."""
        kept: list[_Followed] = []
        for track in sorted(tracks, key=lambda one: one.number):
            if all(track.box.overlap(other.box) < self.settings.overlap for other in kept):
                kept.append(track)
        return kept
