"""How good a model's answers are, counted in every way that a report shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fer_edge import evaluation, reliability
from fer_edge.errors import FerError
from fer_train.judging.judgement import CONFIDENT, SMALLEST_PROBABILITY, ClassReport, Confusion, Judgement

try:
    from sklearn.metrics import precision_recall_fscore_support
except ImportError as error:
    raise FerError(
        "sklearn is not installed: judging needs the workstation extra: pip install 'fer-edge[workstation]'"
    ) from error


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
    bins = reliability.bins(probabilities, labels)
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
        calibration_error=reliability.calibration_error(bins),
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
