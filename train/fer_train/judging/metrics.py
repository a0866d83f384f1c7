"""How good a model's answers are, counted in every way that a report shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.metrics import precision_recall_fscore_support

from fer_edge import evaluation
from fer_train.judging.judgement import BINS, CONFIDENT, SMALLEST_PROBABILITY, Bin, ClassReport, Confusion, Judgement


def judge(
    split: str,
    probabilities: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    names: Sequence[str],
    leaked: npt.NDArray[np.bool_] | None,
) -> Judgement:
    """Count how good probabilities are.

    A class without an image in the split has no recall and no F1; balanced accuracy and macro F1 are means over the
    classes that do occur.

    Args:
        split: Name of the split that the labels come from.
        probabilities: [N, C] float32, 0..1, each row summing to 1; N is at least 1.
        labels: [N] int64, true classes, 0..C-1.
        names: The C classes.
        leaked: [N] bool, images that the training split has as well; None where that is not known.
    """
    predicted = probabilities.argmax(axis=1)
    clean = None if leaked is None else ~leaked
    classes = _classes(predicted, labels, names)
    bins = _reliability(probabilities.max(axis=1), predicted == labels)
    of_the_truth = np.maximum(probabilities[np.arange(len(labels)), labels].astype(np.float64), SMALLEST_PROBABILITY)
    return Judgement(
        accuracy=evaluation.accuracy(split, predicted, labels),
        leaked=None if leaked is None else int(np.count_nonzero(leaked)),
        without_leaked=(
            None if clean is None or not clean.any() else evaluation.accuracy(split, predicted[clean], labels[clean])
        ),
        balanced_accuracy=float(np.mean([one.recall for one in classes if one.recall is not None])),
        macro_f1=float(np.mean([one.f1 for one in classes if one.f1 is not None])),
        negative_log_likelihood=float(-np.log(of_the_truth).mean()),
        calibration_error=_calibration_error(bins),
        reliability=bins,
        classes=classes,
        confusion=evaluation.confusion(predicted, labels, len(names)),
        confusions=_confusions(probabilities, labels, names),
    )


def _classes(
    predicted: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], names: Sequence[str]
) -> tuple[ClassReport, ...]:
    precisions, recalls, f1s, supports = precision_recall_fscore_support(
        labels, predicted, labels=range(len(names)), zero_division=0
    )
    answered = np.bincount(predicted, minlength=len(names))
    return tuple(
        ClassReport(
            label=name,
            precision=float(precisions[number]) if answered[number] else None,
            recall=float(recalls[number]) if supports[number] else None,
            f1=float(f1s[number]) if supports[number] else None,
            support=int(supports[number]),
        )
        for number, name in enumerate(names)
    )


def _reliability(confidences: npt.NDArray[np.float32], right: npt.NDArray[np.bool_]) -> tuple[Bin, ...]:
    edges = np.linspace(0, 1, BINS + 1)
    members = np.digitize(confidences, edges[1:-1], right=True)
    bins = []
    for number in range(BINS):
        inside = members == number
        some = bool(inside.any())
        bins.append(
            Bin(
                low=float(edges[number]),
                high=float(edges[number + 1]),
                images=int(np.count_nonzero(inside)),
                confidence=float(confidences[inside].mean(dtype=np.float64)) if some else None,
                accuracy=float(right[inside].mean()) if some else None,
            )
        )
    return tuple(bins)


def _calibration_error(bins: Sequence[Bin]) -> float:
    """Give the expected calibration error of Guo et al. 2017, arXiv:1706.04599."""
    gaps = [
        one.images * abs(one.confidence - one.accuracy)
        for one in bins
        if one.confidence is not None and one.accuracy is not None
    ]
    return sum(gaps) / sum(one.images for one in bins)


def _confusions(
    probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], names: Sequence[str]
) -> tuple[Confusion, ...]:
    predicted, confident = probabilities.argmax(axis=1), probabilities.max(axis=1) >= CONFIDENT
    every = evaluation.confusion(predicted, labels, len(names))
    sure = evaluation.confusion(predicted[confident], labels[confident], len(names))
    found = [
        Confusion(label=label, predicted=answer, images=every[t][p], confident=sure[t][p])
        for t, label in enumerate(names)
        for p, answer in enumerate(names)
        if t != p and every[t][p]
    ]
    return tuple(sorted(found, key=lambda one: (-one.confident, -one.images)))
