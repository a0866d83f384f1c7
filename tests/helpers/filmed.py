"""The film of a man who smiles, and what the loop says of it without a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from browsing import drawn_box, picture_and_words, wait_in
from fer_edge import Classifier, open_detector, open_source
from fer_edge.box import Box
from fer_edge.loop import Loop
from films import Picture, nearest, read_film

# Frames by which what is said of a face may be late: smoothing, and the page's own pace.
_LATE = 20


@dataclass(frozen=True)
class Film:
    """A film with what is in it.

    Attributes:
        frames: [H, W, 3] BGR.
        boxes: The face by frame.
        expressions: By frame.
    """

    frames: list[Picture]
    boxes: list[Box]
    expressions: list[str]

    @classmethod
    def read(cls, path: Path, model: Path, rate: float) -> Film:
        """Run the loop over a film of one face, played at the rate, frames a second, that the test's camera has.

        What is smoothed over time changes at another frame where the film is played slower.
        """
        loop, boxes, expressions = Loop(open_detector("haar"), Classifier.load(model)), [], []
        with open_source(str(path)) as source:
            for frame in source:
                (face,) = loop.process(replace(frame, at_s=frame.index / rate)).faces
                boxes.append(face.box)
                expressions.append(face.expression)
        return cls(read_film(path), boxes, expressions)

    def check_expression(self, tab: Any, expression: str) -> None:
        """Wait until the page shows an expression; the picture beside it must be of such a moment."""
        seen: list[tuple[Picture, list[str]]] = []

        def there() -> bool:
            seen.append(picture_and_words(tab))
            return seen[-1][1] == [expression]

        wait_in(tab, there, f"{expression} on the page")
        number, difference = nearest(seen[-1][0], self.frames)
        assert difference < 6
        moments = [at for at, one in enumerate(self.expressions) if one == expression]
        assert min(abs(number - at) for at in moments) <= _LATE, (number, moments)

    def check_box(self, tab: Any) -> None:
        """The box on the page must be on the face."""
        rows, columns = self.frames[0].shape[:2]
        left, right, bottom = drawn_box(tab)
        number, _ = nearest(picture_and_words(tab)[0], self.frames)
        box = self.boxes[number]
        # In units of the face, which moves on while a test looks.
        assert abs(left * columns - box.x) < 0.2 * box.width
        assert abs(right * columns - (box.x + box.width)) < 0.2 * box.width
        assert abs(bottom * rows - (box.y + box.height)) < 0.2 * box.height
