"""How right the variants are on labelled faces, and how far they say what their float parent says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_bench.results import Agreement, Data, Flip, Judgement
from fer_bench.variants import Variant
from fer_edge import evaluation, reliability
from fer_edge.classifier import Classifier
from fer_edge.errors import DataError, FerError
from fer_edge.metadata import ModelMetadata
from fer_train import datasets
from fer_train.datasets import Split

# What a user feels as plainly wrong: joy taken for anger, and the other way round.
_FELT = frozenset({"happy", "angry"})
FLOAT = "fp32"


@dataclass(frozen=True)
class Labelled:
    """Faces with labels, read once for all variants.

    Attributes:
        data: What is told of them.
        split: The faces.
        skipped: Files that did not decode, each with the reason.
    """

    data: Data
    split: Split
    skipped: tuple[str, ...]

    @property
    def missing(self) -> list[str]:
        """Expressions without a face."""
        return [label for number, label in enumerate(self.data.labels) if not np.any(self.split.labels == number)]


def read(path: Path, split: str | None, labels: tuple[str, ...]) -> Labelled:
    """Read labelled faces.

    Args:
        path: See `datasets.load`.
        split: Name of the split; None for the one that models are selected on.
        labels: Expressions in the order of the models' output; faces of others are left out.

    Raises:
        UsageError: There is nothing at the path, no such split, or the data does not have the labels.
        DataError: What is there cannot be read.
    """
    found = datasets.load(path, labels=labels)
    name = split or found.selection_split()
    chosen = found.split(name)
    digest = hashlib.sha256()
    for face, label in zip(chosen.faces, chosen.labels.tolist(), strict=True):
        digest.update(f"{face.shape} {labels[label]}\n".encode())
        digest.update(np.ascontiguousarray(face).data)
    truth = tuple(chosen.labels.tolist())
    data = Data(
        name=found.name, split=name, sha256=digest.hexdigest(), images=len(chosen), labels=found.labels, truth=truth
    )
    return Labelled(data, chosen, found.skipped)


def judge(classifier: Classifier, labelled: Labelled, step: Callable[[int], object] = lambda _: None) -> Judgement:
    """Classify all faces as the device would and count how good the answers are.

    Args:
        classifier: A model with the labels of the data.
        labelled: The faces.
        step: Called with 1 after each face.

    Raises:
        DataError: The model knows other labels.
        ModelError: The model gives no probabilities.
    """
    labels, truth = labelled.data.labels, labelled.split.labels
    known = classifier.metadata.labels
    if known != labels:
        raise DataError(f"it knows {', '.join(known)}, the others know {', '.join(labels)}: no comparison")
    probabilities = evaluation.predict(classifier, labelled.split.faces, lambda: step(1))
    predicted = probabilities.argmax(axis=1)
    cells = evaluation.confusion(predicted, truth, len(labels))
    recalls = evaluation.recalls(predicted, truth, labels)
    return Judgement(
        accuracy=evaluation.accuracy(labelled.data.split, predicted, truth),
        balanced_accuracy=evaluation.balanced_accuracy(recalls),
        macro_f1=evaluation.macro_f1(cells),
        recalls=recalls,
        calibration_error=reliability.calibration_error(reliability.bins(probabilities, truth)),
        confusion=cells,
        predicted=tuple(predicted.tolist()),
    )


def parent_of(metadata: ModelMetadata, variants: Sequence[Variant]) -> Variant:
    """Find a model's float parent among the variants: plain float32 of the same run.

    Raises:
        FerError: None of them is.
    """
    origin = metadata.origin
    for variant in variants:
        other = variant.metadata
        if (
            other is not None
            and variant.classifier is not None
            and other.recipe == FLOAT
            and (other.origin.run, other.origin.architecture, other.origin.data_sha256)
            == (origin.run, origin.architecture, origin.data_sha256)
        ):
            return variant
    raise FerError(
        f"its float parent is not among the models: name the {FLOAT} file of the run {origin.run} as well, "
        "or give it by --parent ('none' to do without)"
    )


def agree(parent: str, theirs: Judgement, ours: Judgement, data: Data) -> Agreement:
    """Compare a variant with its float parent.

    Args:
        parent: Title of the parent.
        theirs: Of the parent.
        ours: Of the variant.
        data: The faces that both were judged on.
    """
    before, after, truth = (np.asarray(answers) for answers in (theirs.predicted, ours.predicted, data.truth))
    flips = int(np.count_nonzero(before != after))
    low, high = evaluation.wilson_interval(flips, len(truth))
    return Agreement(
        parent=parent,
        flips=flips,
        total=len(truth),
        low=low,
        high=high,
        paired=evaluation.paired(before == truth, after == truth),
        felt=_felt(before, after, truth, data.labels),
    )


def _felt(
    before: npt.NDArray[np.int64], after: npt.NDArray[np.int64], truth: npt.NDArray[np.int64], labels: Sequence[str]
) -> tuple[Flip, ...]:
    flips = [
        Flip(image=image, parent=labels[before[image]], variant=labels[after[image]], truth=labels[truth[image]])
        for image in np.flatnonzero(before != after).tolist()
    ]
    return tuple(flip for flip in flips if {flip.parent, flip.variant} == _FELT)
