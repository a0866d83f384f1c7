"""What a conversion cost: the written file against its float parent on the same held-out faces."""

from __future__ import annotations

import gzip
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fer_edge import evaluation
from fer_edge.metadata import Accuracy


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `NAME-RECIPE.json`.

    Attributes:
        name: Of the model with its recipe.
        recipe: How it was converted.
        bytes: Size of the `.tflite` with its metadata.
        gzip_bytes: The same compressed.
        parameters: Number of weights of the float parent.
        runtime: Interpreter that the file was judged with, with its version.
        images: Held-out faces compared.
        agreement: Fraction of them with the same label from both.
        largest_difference: Largest absolute difference of a probability.
        mean_difference: Mean absolute difference of a probability.
        float_accuracy: Of the float parent.
        accuracy: Of the written file.
        float_recalls: By label, of the float parent.
        recalls: By label, of the written file.
        qat: Settings of the quantization-aware training, None without.
    """

    name: str
    recipe: str
    bytes: int
    gzip_bytes: int
    parameters: int
    runtime: str
    images: int
    agreement: float
    largest_difference: float
    mean_difference: float
    float_accuracy: Accuracy
    accuracy: Accuracy
    float_recalls: dict[str, float | None]
    recalls: dict[str, float | None]
    qat: dict[str, Any] | None


def compare(
    split: str,
    parent: npt.NDArray[np.float32],
    child: npt.NDArray[np.float32],
    truth: npt.NDArray[np.int64],
    *,
    content: bytes,
    name: str,
    recipe: str,
    parameters: int,
    runtime: str,
    labels: tuple[str, ...],
    qat: dict[str, Any] | None,
) -> Report:
    """Compare the probabilities of two models, [N, labels] each, for faces whose labels are `truth` [N]."""
    parent_says, child_says = parent.argmax(axis=1), child.argmax(axis=1)
    difference = np.abs(parent - child)
    return Report(
        name=name,
        recipe=recipe,
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content, mtime=0)),
        parameters=parameters,
        runtime=runtime,
        images=len(truth),
        agreement=float(np.mean(parent_says == child_says)),
        largest_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        float_accuracy=evaluation.accuracy(split, parent_says, truth),
        accuracy=evaluation.accuracy(split, child_says, truth),
        float_recalls=evaluation.recalls(parent_says, truth, labels),
        recalls=evaluation.recalls(child_says, truth, labels),
        qat=qat,
    )
