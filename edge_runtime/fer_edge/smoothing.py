"""Probabilities that do not flicker: each face's are averaged over time, the newer weighing more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import exp


class Smoother:
    """Exponential smoothing by time, and so the same at any rate of frames.

    What was said a time constant ago weighs 1/e of what is said now.

    Example:
        >>> smoother = Smoother(0.3)
        >>> smoother.smooth(1, {"happy": 1.0, "sad": 0.0}, at_s=0.0)
        {'happy': 1.0, 'sad': 0.0}
        >>> smoother.smooth(1, {"happy": 0.0, "sad": 1.0}, at_s=0.3)
        {'happy': 0.367..., 'sad': 0.632...}
    """

    def __init__(self, time_constant_s: float) -> None:
        """Start without faces.

        Args:
            time_constant_s: Seconds; 0 leaves probabilities as they are.
        """
        self.time_constant_s = time_constant_s
        # By track: when, and what.
        self._averages: dict[int, tuple[float, Mapping[str, float]]] = {}

    def smooth(self, track: int, probabilities: Mapping[str, float], at_s: float | None) -> Mapping[str, float]:
        """Give the average of a face's probabilities up to a frame.

        Args:
            track: Number of the face's track.
            probabilities: Label to probability 0..1 in this frame; they sum to 1.
            at_s: When the frame was taken, see `Frame`; None for a picture that stands alone, which is left as it is.

        Returns:
            Label to probability, in the same order; they sum to 1.
        """
        if at_s is None or not self.time_constant_s:
            return probabilities
        before = self._averages.get(track)
        if before is not None:
            before_s, averages = before
            kept = exp(-max(0.0, at_s - before_s) / self.time_constant_s)
            probabilities = {
                label: kept * averages[label] + (1 - kept) * value for label, value in probabilities.items()
            }
        self._averages[track] = at_s, probabilities
        return probabilities

    def forget_all_but(self, tracks: Collection[int]) -> None:
        """Forget faces whose tracks have ended."""
        for track in [track for track in self._averages if track not in tracks]:
            del self._averages[track]
