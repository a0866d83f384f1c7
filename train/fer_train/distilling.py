"""Learning from teachers: soft targets at a temperature, mixed with labels (Hinton et al. 2015, arXiv:1503.02531)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_edge.errors import UsageError
from fer_edge.metadata import InputSpec
from fer_train import pipeline
from fer_train.datasets import Split
from fer_train.keras_setup import keras, tf
from fer_train.run_folder import RunFolder
from fer_train.settings import Distillation

_SMALLEST = 1e-7


@dataclass(frozen=True)
class Teacher:
    """A model that teaches.

    Attributes:
        model: From [N, H, W, C] to probabilities [N, labels], for the student's labels.
        spec: Its input.
    """

    model: Any
    spec: InputSpec


def soften(probabilities: Any, temperature: float) -> Any:
    """Give the softmax of the scores divided by the temperature; the scores are the probabilities' logarithms."""
    return tf.nn.softmax(tf.math.log(tf.maximum(probabilities, _SMALLEST)) / temperature)


def runs(teachers: Sequence[str], labels: tuple[str, ...]) -> list[RunFolder]:
    """Find the runs that teach a student of some labels.

    Raises:
        UsageError: One of them is no run, or knows other labels.
    """
    found = [RunFolder(Path(teacher)) for teacher in teachers]
    for run in found:
        if run.info.labels != labels:
            raise UsageError(f"the teacher {run.path} knows {', '.join(run.info.labels)}, the data {', '.join(labels)}")
    return found


def load(distillation: Distillation, labels: tuple[str, ...]) -> tuple[Teacher, ...]:
    """Load the teachers that a distillation names, for a student of some labels.

    Raises:
        UsageError: A teacher knows other labels.
        FerError: A run cannot be read.
    """
    return tuple(Teacher(run.model(), run.info.input) for run in runs(distillation.teachers, labels))


def judged(
    teachers: Sequence[Teacher], split: Split, temperature: float, batch_size: int = 64
) -> npt.NDArray[np.float32]:
    """Let teachers judge a split beforehand: each face as it is, and mirrored.

    A student that sees the faces spoilt still learns what the teachers say of the clean ones, and in each epoch for
    the cost of a look-up.

    Returns:
        [N, labels] float32, the mean of the teachers' softened probabilities.
    """
    opinions = []
    for teacher in teachers:
        ask = tf.function(lambda inputs, model=teacher.model: model(inputs, training=False), reduce_retracing=True)
        for inputs, _ in pipeline.batches(split, teacher.spec, batch_size):
            opinions.append((ask(inputs) + ask(inputs[:, :, ::-1])).numpy() / 2)
    each = np.concatenate(opinions).reshape(len(teachers), len(split), -1)
    softened: npt.NDArray[np.float32] = soften(each.mean(axis=0), temperature).numpy()
    return softened


def teaching(teachers: Sequence[Teacher], temperature: float) -> Callable[[Any, Any], Any]:
    """Let teachers judge what the student sees.

    Returns:
        A function from augmented pixels [B, H, W, 1] of 0..255 and targets [B, C] to [B, 2 C]: the targets, and the
        mean of the teachers' softened probabilities of the same pixels.
    """

    def teach(pixels: Any, targets: Any) -> Any:
        opinions = []
        for teacher in teachers:
            spec = teacher.spec
            size = (spec.height, spec.width)
            fitting = pixels if pixels.shape[1:3] == size else tf.image.resize(pixels, size)
            opinions.append(teacher.model(pipeline.scale(fitting, spec), training=False))
        mean = tf.add_n(opinions) / len(opinions)
        return tf.concat([targets, soften(mean, temperature)], axis=-1)

    return teach


class Loss(keras.losses.Loss):  # type: ignore[misc]  # Keras ships no types
    """Cross-entropy of the labels, and of the teachers' soft targets where there are any."""

    def __init__(self, label_smoothing: float, distillation: Distillation | None) -> None:
        """Take what is mixed how."""
        super().__init__(name="loss")
        self._label_smoothing, self._distillation = label_smoothing, distillation

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Give [B] float32 from targets [B, C] or [B, 2 C] and probabilities [B, C].

        The soft part is the Kullback-Leibler divergence at the temperature T, times T squared, which keeps its
        gradients as large as those of the labels at any T.
        """
        classes = y_pred.shape[-1]
        hard = keras.losses.categorical_crossentropy(y_true[:, :classes], y_pred, label_smoothing=self._label_smoothing)
        if self._distillation is None or y_true.shape[-1] == classes:
            return hard
        temperature, share = self._distillation.temperature, self._distillation.share
        soft = keras.losses.kl_divergence(y_true[:, classes:], soften(y_pred, temperature))
        return (1 - share) * hard + share * temperature**2 * soft


class Accuracy(keras.metrics.CategoricalAccuracy):  # type: ignore[misc]
    """Accuracy on the targets' first columns, those that are not the teachers'."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Count a batch; an image counts once, however its class is weighted in the loss."""
        del sample_weight
        return super().update_state(y_true[:, : y_pred.shape[-1]], y_pred)


class MacroF1(keras.metrics.F1Score):  # type: ignore[misc]
    """Macro F1 on the targets' first columns."""

    def __init__(self) -> None:
        """Name it."""
        super().__init__(average="macro", name="macro_f1")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Count a batch; soft targets count for their largest class."""
        del sample_weight
        classes = y_pred.shape[-1]
        return super().update_state(tf.one_hot(tf.argmax(y_true[:, :classes], axis=-1), classes), y_pred)
