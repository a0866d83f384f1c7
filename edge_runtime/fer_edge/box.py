"""A rectangle in a picture."""

from __future__ import annotations

from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle in a frame.

    Attributes:
        x: Left edge, pixels from the frame's left.
        y: Upper edge, pixels from the frame's top.
        width: Pixels.
        height: Pixels.
    """

    x: int
    y: int
    width: int
    height: int

    def overlap(self, other: Box) -> float:
        """Give the intersection over the union of two boxes, 0..1 (Jaccard index)."""
        across = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        down = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        shared = max(0, across) * max(0, down)
        union = self.width * self.height + other.width * other.height - shared
        return shared / union if union else 0.0
