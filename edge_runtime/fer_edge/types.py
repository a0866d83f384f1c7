"""The values that flow through the loop: frozen, with units."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

import msgspec
import numpy as np
import numpy.typing as npt

from fer_edge import preprocessing
from fer_edge.box import Box

UNCERTAIN = "uncertain"


class Frame(msgspec.Struct, frozen=True, dict=True):
    """One picture from a source.

    Attributes:
        index: Number of the frame in its source, from 0; overwritten frames of a camera count.
        source: Name of the source, for people: "demo", a file name, a camera.
        image: [H, W, 3] BGR or [H, W] grey, uint8.
        captured_ns: When it was captured, `time.monotonic_ns()`.
        captured_at: The same moment by the wall clock, UTC.
        capture_ms: What fetching and decoding it cost, milliseconds; waiting for a camera is not a cost.
        at_s: When it was taken by the source's own clock, seconds: a video's time, a camera's time of capture. None for
            a picture that has nothing to do with the frame before.
        dropped: Frames of the source so far that were overwritten before anyone took them.
        luma: [H, W] uint8, where the camera gives it apart from the picture.
    """

    index: int
    source: str
    image: npt.NDArray[np.uint8]
    captured_ns: int
    captured_at: datetime
    capture_ms: float
    at_s: float | None = None
    dropped: int = 0
    luma: npt.NDArray[np.uint8] | None = None

    @cached_property
    def gray(self) -> npt.NDArray[np.uint8]:
        """[H, W] uint8: the camera's luma, or made from the picture at first use."""
        return preprocessing.to_gray(self.image) if self.luma is None else self.luma


class Track(msgspec.Struct, frozen=True):
    """A face followed over frames.

    Attributes:
        number: Identity, from 1, kept as long as the face is followed.
        box: Where the face is in this frame.
    """

    number: int
    box: Box


class Face(msgspec.Struct, frozen=True, dict=True):
    """A face and what the model says of it.

    Attributes:
        track: Number of its track.
        box: Pixels of the source's frame.
        probabilities: Label to probability 0..1, in the model's order; they sum to 1. Smoothed over time.
        raw: The same of this frame alone; None where nobody wants them.
        min_confidence: Below this the expression is `UNCERTAIN`, 0..1.
    """

    track: int
    box: Box
    probabilities: Mapping[str, float]
    raw: Mapping[str, float] | None = None
    min_confidence: float = 0.0

    @cached_property
    def label(self) -> str:
        """The most probable label; the first in the model's order where two are equal."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """Probability of `label`, 0..1."""
        return self.probabilities[self.label]

    @property
    def expression(self) -> str:
        """The most probable label, or `UNCERTAIN`."""
        return self.label if self.confidence >= self.min_confidence else UNCERTAIN


class StageTimes(msgspec.Struct, frozen=True):
    """What one frame cost, milliseconds by the monotonic clock.

    Attributes:
        capture: Fetching and decoding the frame.
        detect: Grey, search for faces, tracking.
        classify: Cutting, resizing and classifying all faces.
        total: Capture, and all from taking the frame to the finished result.
    """

    capture: float
    detect: float
    classify: float
    total: float


class BoardState(msgspec.Struct, frozen=True):
    """How the board is.

    Attributes:
        temperature: Of the processor, degrees Celsius; None where the board does not tell.
        throttled: See `Board.throttled`; None where the board does not tell.
        rate: Frames a second at most, for it is hot; None for all.
    """

    temperature: float | None
    throttled: tuple[str, ...] | None
    rate: float | None = None


class Result(msgspec.Struct, frozen=True):
    """What the loop says of one frame.

    Attributes:
        frame: Number of the frame.
        time: When it was captured, wall clock, UTC.
        source: Name of the source.
        age_ms: Time from capture to this result, milliseconds.
        dropped: Frames of the source overwritten so far.
        faces: All faces, by track number.
        ms: What the stages cost.
        board: How the board is; None where that is not known.
    """

    frame: int
    time: datetime
    source: str
    age_ms: float
    dropped: int
    faces: tuple[Face, ...]
    ms: StageTimes
    board: BoardState | None = None
