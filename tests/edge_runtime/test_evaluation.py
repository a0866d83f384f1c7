from __future__ import annotations

import numpy as np
import pytest

from fer_edge.classifier import Classifier
from fer_edge.evaluation import accuracy, paired, predict, recalls, wilson_interval
from fer_edge.metadata import Accuracy
from fer_edge.preprocessing import fit_face

# From SciPy 1.17: binomtest(correct, total).proportion_ci(confidence_level=0.95, method="wilson").
WILSON = [
    (0, 1, 0.0, 0.7934506856227626),
    (1, 1, 0.20654931437723745, 1.0),
    (0, 10, 0.0, 0.27753279986288926),
    (10, 10, 0.7224672001371109, 1.0),
    (1, 2, 0.09453120573423074, 0.9054687942657693),
    (5, 10, 0.236593090512564, 0.7634069094874361),
    (1, 100, 0.001767432064140647, 0.054486196178705315),
    (36, 210, 0.1264737190163163, 0.2281883714826413),
    (66, 100, 0.5627772885472462, 0.7453847920265184),
    (2369, 3589, 0.6444115389126593, 0.6753910499767332),
    (2225, 3589, 0.6039492194018312, 0.6356939738390452),
    (3588, 3589, 0.9984233261319541, 0.9999508134209191),
]


@pytest.mark.parametrize(("correct", "total", "low", "high"), WILSON)
def test_wilson_interval(correct: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(correct, total) == pytest.approx((low, high), abs=1e-12)


def test_the_interval_reaches_the_ends_exactly() -> None:
    assert wilson_interval(0, 50)[0] == 0.0
    assert wilson_interval(50, 50)[1] == 1.0


def test_accuracy() -> None:
    predicted, labels = np.array([0, 1, 2, 2, 1]), np.array([0, 1, 2, 1, 1])
    low, high = wilson_interval(4, 5)
    assert accuracy("public", predicted, labels) == Accuracy(split="public", correct=4, total=5, low=low, high=high)


def test_recalls_of_present_and_absent_classes() -> None:
    predicted, labels = np.array([0, 0, 1, 3, 3]), np.array([0, 1, 1, 1, 1])
    assert recalls(predicted, labels, ("angry", "disgust", "fear", "happy")) == {
        "angry": 1.0,
        "disgust": 0.25,
        "fear": None,
        "happy": None,
    }


def test_predicting_is_classifying_each_face(classifier: Classifier) -> None:
    chance = np.random.default_rng(5)
    faces = [chance.integers(0, 256, size, dtype=np.uint8) for size in ((48, 48), (120, 100), (30, 30))]
    steps: list[int] = []
    rows = predict(classifier, faces, lambda: steps.append(1))
    assert (rows.shape, rows.dtype, len(steps)) == ((3, 7), np.float32, 3)
    expected = [classifier.probabilities(fit_face(face, classifier.metadata.input)) for face in faces]
    np.testing.assert_array_equal(rows, expected)


# The p-values are from SciPy 1.17: binomtest(min(lost, won), lost + won).pvalue; the interval by hand from the paper's
# formula.
@pytest.mark.parametrize(
    ("lost", "won", "total", "gain", "low", "high", "p_value"),
    [
        (0, 0, 100, 0.0, -0.0192153, 0.0192153, 1.0),
        (3, 1, 100, -0.02, -0.0624058, 0.0231901, 0.625),
        (2, 12, 100, 0.1, 0.0260917, 0.1699867, 0.012939453125),
        (0, 10, 10, 1.0, 0.5666160, 1.0, 0.001953125),
    ],
)
def test_two_models_are_compared_image_by_image(
    lost: int, won: int, total: int, gain: float, low: float, high: float, p_value: float
) -> None:
    first, second = np.ones(total, bool), np.ones(total, bool)
    second[:lost] = False
    first[lost : lost + won] = False
    found = paired(first, second)
    assert (found.only_first, found.only_second, found.total) == (lost, won, total)
    assert (found.gain, found.p_value) == (pytest.approx(gain), pytest.approx(p_value))
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))
