"""Fine-tuning of a model that is being shrunk: a short training towards what the float model says."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fer_convert.parent import Parent
from fer_edge.errors import FerError
from fer_train import distilling, fitting
from fer_train.callbacks import NonFiniteLossError
from fer_train.datasets import Dataset
from fer_train.distilling import Teacher
from fer_train.keras_setup import keras
from fer_train.settings import Distillation, FitSettings


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """How to fine-tune; what is not here is as in the run, or as fer-train does it by default.

    Attributes:
        epochs: Passes over the training split.
        learning_rate: Adam's, at the top of one epoch of warm-up and half a cosine.
        augment: Level of augmentation.
    """

    epochs: int
    learning_rate: float
    augment: str


@dataclass(frozen=True)
class Lesson:
    """What a fine-tuning learns.

    The model learns the probabilities that its teachers give each augmented face, in place of labels: what a small
    change of the model costs is won back sooner, and its labels stay those of the float model.

    Attributes:
        parent: The float model, its own teacher where there are no others.
        data: What the parent was trained on; for a foreign model, labelled faces.
        teachers: Paths of runs.
        say: Takes a line an epoch.
        bar: Whether Keras shows a bar of the steps.
    """

    parent: Parent
    data: Dataset
    teachers: tuple[str, ...] = ()
    say: Callable[[str], None] = lambda _line: None
    bar: bool = False

    def settings(self, tuning: Tuning) -> FitSettings:
        """Give the settings of the fitting: the parent's, but for what is tuned."""
        return msgspec.structs.replace(
            self.parent.settings,
            epochs=tuning.epochs,
            learning_rate=tuning.learning_rate,
            augment=tuning.augment,
            schedule="cosine",
            warm_up=1,
            optimizer="adam",
            balance="none",
            monitor="accuracy",
            patience=0,
            freeze_epochs=0,
            fine_tune_from=None,
            fine_tune_learning_rate=None,
            mixed_precision=False,
            distillation=self._distillation(),
        )

    def fit(self, model: Any, settings: FitSettings, **extras: Any) -> None:
        """Fit a model in place; the best epoch's weights stay in it.

        Args:
            model: Of TFMOT, wrapped for pruning or quantization.
            settings: From `settings`.
            extras: More fields of `fitting.Extras`.

        Raises:
            UsageError: A teacher knows other labels.
            FerError: The loss is not finite, or a teacher cannot be read.
        """
        parent = self.parent
        itself = (Teacher(parent.model, parent.input),)
        teachers = distilling.load(self._distillation(), parent.labels) if self.teachers else itself
        with tempfile.TemporaryDirectory() as folder:
            setting = fitting.Setting(Path(folder), self.say, self.bar)
            try:
                fitting.fit_model(
                    model, settings, self.data, parent.input, setting, fitting.Extras(teachers=teachers, **extras)
                )
            except NonFiniteLossError as error:
                raise FerError("the fine-tuning came to no finite loss: lower its learning rate") from error

    def _distillation(self) -> Distillation:
        return Distillation(teachers=self.teachers or (str(self.parent.path),), temperature=1.0, share=1.0)


def quiet(layer: Any) -> Any:
    """Give a copy of a layer; of one that adds noise in training, one that does nothing.

    Noise would be most of what a model differs in from its teacher, and TFMOT knows no GaussianNoise.
    """
    if isinstance(layer, (keras.layers.GaussianNoise, keras.layers.Dropout)):
        return keras.layers.Dropout(0.0, name=layer.name)
    return type(layer).from_config(layer.get_config())
