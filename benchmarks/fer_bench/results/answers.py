"""What a variant answers: its accuracy, and its float parent's answers beside it."""

from __future__ import annotations

import msgspec

from fer_edge.evaluation import Paired
from fer_edge.metadata import Accuracy


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The labelled faces.

    Attributes:
        name: Of the data, such as "FER2013".
        split: Of it.
        sha256: Fingerprint of its pixels and labels.
        images: How many.
        labels: Expressions in the order of the models' output.
        truth: Number of the label of each face.
    """

    name: str
    split: str
    sha256: str
    images: int
    labels: tuple[str, ...]
    truth: tuple[int, ...]


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """How a model does on labelled faces, cut out already.

    Attributes:
        accuracy: With its 95 % Wilson interval.
        balanced_accuracy: Mean recall of the expressions that occur.
        macro_f1: Mean F1 of the expressions that occur.
        recalls: By expression; None where the data has no such face.
        calibration_error: Expected calibration error, 15 bins (Guo et al. 2017), 0..1.
        confusion: Row t, column p: how often label t was called p.
        predicted: Number of the most probable label of each face.
    """

    accuracy: Accuracy
    balanced_accuracy: float
    macro_f1: float
    recalls: dict[str, float | None]
    calibration_error: float
    confusion: tuple[tuple[int, ...], ...]
    predicted: tuple[int, ...]


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """A face that a variant names otherwise than its float parent.

    Attributes:
        image: Number of the face in the split, from 0.
        parent: What the parent says.
        variant: What the variant says.
        truth: The label.
    """

    image: int
    parent: str
    variant: str
    truth: str


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """A variant against its float parent on the same faces.

    Attributes:
        parent: Title of the float parent.
        flips: Faces with another label.
        total: Faces.
        low: Lower end of the 95 % Wilson interval of `flips / total`.
        high: Its upper end.
        paired: Accuracy of both, McNemar's test.
        felt: Flips between happy and angry: what a user notices.
    """

    parent: str
    flips: int
    total: int
    low: float
    high: float
    paired: Paired
    felt: tuple[Flip, ...]
