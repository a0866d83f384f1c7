"""Quantization-aware training: a float model fine-tuned with int8 rounding in the loop, by TFMOT.

Source: Jacob et al. 2018, arXiv:1712.05877.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec

from fer_edge.errors import FerError, UsageError
from fer_train import fitting
from fer_train.datasets import Dataset
from fer_train.keras_setup import keras
from fer_train.run_folder import RunInfo


class QatSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to fine-tune; what is not here is as in the run.

    Attributes:
        epochs: Passes over the training split.
        learning_rate: Adam's, at the top of one epoch of warm-up and half a cosine.
        augment: Level of augmentation.
    """

    epochs: int
    learning_rate: float
    augment: str


def check_data(data: Dataset, info: RunInfo) -> None:
    """Refuse other data than the run was trained on: its held-out faces would no longer be held out.

    Raises:
        UsageError: The fingerprints differ.
    """
    if data.fingerprint() != info.data.sha256:
        raise UsageError(f"{data.name} is not the data that the run was trained on (its fingerprint differs)")


def fine_tune(model: Any, info: RunInfo, data: Dataset, settings: QatSettings, *, verbose: int) -> Any:
    """Give a copy of a model that was trained with every weight and activation rounded to int8.

    Args:
        model: The float model, left as it is.
        info: The run that it comes from.
        data: What the run was trained on.
        settings: How long and how fast.
        verbose: Keras' progress: 0 silent, 1 a bar, 2 a line an epoch.

    Raises:
        FerError: TFMOT is not installed, does not support a layer, or the loss is not finite.
    """
    try:
        from tensorflow_model_optimization.quantization.keras import quantize_model
    except ImportError as error:
        raise FerError(f"{error}: --qat needs the workstation extra: pip install 'fer-edge[workstation]'") from error
    keras.utils.set_random_seed(info.settings.seed)
    try:
        aware = quantize_model(model)
    except (ValueError, RuntimeError) as error:
        raise FerError(f"quantization-aware training does not support this model: {error}") from error
    chosen = msgspec.structs.replace(
        info.settings,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        augment=settings.augment,
        schedule="cosine",
    )
    with tempfile.TemporaryDirectory() as folder:
        fitting.fit_model(aware, chosen, data, info.input, Path(folder) / "best.weights.h5", verbose)
    return aware
