"""What a conversion cost: the written file against its float parent on the same held-out faces."""

from __future__ import annotations

import gzip
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fer_convert.calibration import CalibrationInfo
from fer_convert.flatbuffer import Tensors
from fer_edge import evaluation, reliability
from fer_edge.evaluation import Paired
from fer_edge.metadata import Accuracy, ModelMetadata, Origin

_SMALLEST = 1 / 512


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `NAME-RECIPE.json`.

    Attributes:
        name: Of the model with its recipe.
        recipe: How it was converted.
        bytes: Size of the `.tflite` with its metadata.
        gzip_bytes: The same compressed.
        origin: Where the float parent comes from.
        parameters: Number of weights of the float parent.
        runtime: Interpreter that the file was judged with, with its version.
        images: Held-out faces compared.
        agreement: Fraction of them with the same label from both.
        largest_difference: Largest absolute difference of a probability.
        mean_difference: Mean absolute difference of a probability.
        divergence: Mean Kullback-Leibler divergence of the written file's probabilities from the parent's, nats.
        paired: The parent and the file on the same faces.
        float_accuracy: Of the float parent.
        accuracy: Of the written file.
        float_recalls: By label, of the float parent.
        recalls: By label, of the written file.
        recall_changes: By label, points that the conversion gained; None where the split has no such face.
        float_balanced_accuracy: Mean recall of the labels that occur, of the float parent, 0..1.
        balanced_accuracy: The same of the written file.
        float_calibration_error: Expected calibration error of the float parent, 15 bins (Guo et al. 2017), 0..1.
        calibration_error: The same of the written file.
        ends: Type of the input and output, such as "int8".
        integer: Whether every tensor of the file holds integers.
        operators: Its operators by name, how often each occurs.
        versions: Its operators by name, the highest version of each.
        minimum_runtime: Lowest TFLite release, by TensorFlow's numbers, that has all of them.
        sparsity: Share of its weights that are zero, 0..1; read from the file, biases left out.
        arena_bytes: The largest sum of its activations that are alive at once.
        calibration: The faces that the ranges of the activations come from, None without.
        pruning: Settings of the pruning, None without.
        qat: Settings of the quantization-aware training, None without.
        teachers: What a fine-tuning learned from; empty without.
    """

    name: str
    recipe: str
    bytes: int
    gzip_bytes: int
    origin: Origin
    parameters: int
    runtime: str
    images: int
    agreement: float
    largest_difference: float
    mean_difference: float
    divergence: float
    paired: Paired
    float_accuracy: Accuracy
    accuracy: Accuracy
    float_recalls: dict[str, float | None]
    recalls: dict[str, float | None]
    recall_changes: dict[str, float | None]
    float_balanced_accuracy: float
    balanced_accuracy: float
    float_calibration_error: float
    calibration_error: float
    ends: str
    integer: bool
    operators: dict[str, int]
    versions: dict[str, int]
    minimum_runtime: str
    sparsity: float
    arena_bytes: int
    calibration: CalibrationInfo | None
    pruning: dict[str, Any] | None
    qat: dict[str, Any] | None
    teachers: tuple[str, ...]

    @property
    def drop(self) -> float:
        """Points of accuracy that the conversion cost; negative where it gained."""
        return 0.0 - 100 * self.paired.gain


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """What was done on the way from the float model to the file; the fields are those of `Report`."""

    calibration: CalibrationInfo | None = None
    pruning: dict[str, Any] | None = None
    qat: dict[str, Any] | None = None
    teachers: tuple[str, ...] = ()


def compare(
    split: str,
    parent: npt.NDArray[np.float32],
    child: npt.NDArray[np.float32],
    truth: npt.NDArray[np.int64],
    *,
    content: bytes,
    metadata: ModelMetadata,
    runtime: str,
    tensors: Tensors,
    steps: Steps,
) -> Report:
    """Compare two models.

    Args:
        split: Name of the split that the faces come from.
        parent: [N, labels] probabilities of the float model.
        child: [N, labels] probabilities of the file.
        truth: [N] labels.
        content: The whole file.
        metadata: Its description.
        runtime: Name and version of the interpreter that gave `child`.
        tensors: What is in the file.
        steps: What was done.
    """
    parent_says, child_says = parent.argmax(axis=1), child.argmax(axis=1)
    difference = np.abs(parent - child)
    before, after = (evaluation.recalls(said, truth, metadata.labels) for said in (parent_says, child_says))
    return Report(
        name=metadata.name,
        recipe=metadata.recipe,
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content, mtime=0)),
        origin=metadata.origin,
        parameters=metadata.parameters,
        runtime=runtime,
        images=len(truth),
        agreement=float(np.mean(parent_says == child_says)),
        largest_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        divergence=_divergence(parent, child),
        paired=evaluation.paired(parent_says == truth, child_says == truth),
        float_accuracy=evaluation.accuracy(split, parent_says, truth),
        accuracy=evaluation.accuracy(split, child_says, truth),
        float_recalls=before,
        recalls=after,
        recall_changes={label: _points(before[label], after[label]) for label in metadata.labels},
        float_balanced_accuracy=evaluation.balanced_accuracy(before),
        balanced_accuracy=evaluation.balanced_accuracy(after),
        float_calibration_error=reliability.calibration_error(reliability.bins(parent, truth)),
        calibration_error=reliability.calibration_error(reliability.bins(child, truth)),
        minimum_runtime=metadata.minimum_runtime,
        **asdict(tensors),
        **msgspec.structs.asdict(steps),
    )


def _points(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else 100 * (after - before)


def _divergence(parent: npt.NDArray[np.float32], child: npt.NDArray[np.float32]) -> float:
    # A quantised softmax gives 0 to what is below half its step; its logarithm has to stay finite.
    p, q = (np.maximum(rows.astype(np.float64), _SMALLEST) for rows in (parent, child))
    p, q = (rows / rows.sum(axis=1, keepdims=True) for rows in (p, q))
    return float(np.mean(np.sum(p * np.log(p / q), axis=1)))
