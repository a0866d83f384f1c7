"""What is counted of a model on a split."""

from __future__ import annotations

import msgspec

from fer_edge.metadata import Accuracy
from fer_edge.reliability import Bin

CONFIDENT = 0.8
# A quantised softmax gives plain zeros, whose logarithm would swallow all the rest.
SMALLEST_PROBABILITY = 1e-7


class ClassReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one class fares.

    Attributes:
        label: Its name.
        precision: Share of the answers of this class that are right, 0..1; None where it is never answered.
        recall: Share of the images of this class that are found, 0..1; None where there is none.
        f1: Harmonic mean of both, 0 where one of them is 0 or never answered; None where the class has no image.
        support: Images of this class.
    """

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """One class taken for another.

    Attributes:
        label: The true class.
        predicted: The class answered.
        images: How often.
        confident: How often with a probability of at least `CONFIDENT`.
    """

    label: str
    predicted: str
    images: int
    confident: int


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """Everything counted of one model on one split.

    Attributes:
        accuracy: Over all images.
        leaked: Images that the training split has as well, by equal pixels; None where that was not looked for.
        without_leaked: Accuracy over the other images; None where that was not looked for or there is no other.
        balanced_accuracy: Mean recall of the classes that occur, 0..1.
        macro_f1: Mean F1 of the classes that occur, 0..1.
        negative_log_likelihood: Mean of -ln p(true class), nats; p counts as `SMALLEST_PROBABILITY` at least.
        calibration_error: Mean distance of confidence and accuracy over the bins, by their images, 0..1.
        reliability: `BINS` bins of equal width from confidence 0 to 1.
        classes: A report for each class, in the model's order.
        confusion: Row t, column p: how often class t was called p.
        confusions: The mistakes by true and answered class, those with the most confident ones first.
    """

    accuracy: Accuracy
    leaked: int | None
    without_leaked: Accuracy | None
    balanced_accuracy: float
    macro_f1: float
    negative_log_likelihood: float
    calibration_error: float
    reliability: tuple[Bin, ...]
    classes: tuple[ClassReport, ...]
    confusion: tuple[tuple[int, ...], ...]
    confusions: tuple[Confusion, ...]
