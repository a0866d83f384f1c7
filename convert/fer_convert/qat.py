"""Quantization-aware training: a float model fine-tuned with int8 rounding in the loop, by TFMOT.

Source: Jacob et al. 2018, arXiv:1712.05877.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fer_convert.parent import Parent
from fer_edge import preprocessing
from fer_edge.errors import FerError
from fer_train import fitting
from fer_train.callbacks import NonFiniteLossError
from fer_train.datasets import Dataset
from fer_train.keras_setup import keras, tf

# What the moving averages of TFMOT keep of an old range in a step.
_KEPT = 0.999
_SETTLING_STEPS = 20
_SETTLING_BATCH = 100


class QatSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to fine-tune; what is not here is as in the run, or as fer-train does it by default.

    Attributes:
        epochs: Passes over the training split.
        learning_rate: Adam's, at the top of one epoch of warm-up and half a cosine.
        augment: Level of augmentation.
    """

    epochs: int
    learning_rate: float
    augment: str


def fine_tune(
    model: Any,
    parent: Parent,
    calibration: preprocessing.Pixels,
    data: Dataset,
    settings: QatSettings,
    *,
    say: Callable[[str], None] = lambda _line: None,
    bar: bool = False,
) -> Any:
    """Give a copy of a model that was trained with every weight and activation rounded to int8.

    Args:
        model: The float model, left as it is.
        parent: What it comes from.
        calibration: [N, H, W] uint8 fitted training faces, for the first ranges of the activations.
        data: What the run was trained on; for a foreign model, labelled faces.
        settings: How long and how fast.
        say: Takes a line an epoch.
        bar: Whether Keras shows a bar of the steps.

    Raises:
        FerError: TFMOT is not installed, does not support a layer, or the loss is not finite.
    """
    try:
        from tensorflow_model_optimization.quantization.keras import quantize_model
    except ImportError as error:
        raise FerError(f"{error}: --qat needs the workstation extra: pip install 'fer-edge[workstation]'") from error
    keras.utils.set_random_seed(parent.settings.seed)
    try:
        aware = quantize_model(_with_even_depthwise_kernels(model))
    except (ValueError, RuntimeError) as error:
        raise FerError(f"quantization-aware training does not support this model: {error}") from error
    _settle_ranges(aware, preprocessing.to_input(calibration, parent.input))
    chosen = msgspec.structs.replace(
        parent.settings,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        augment=settings.augment,
        schedule="cosine",
        warm_up=1,
        optimizer="adam",
        monitor="accuracy",
        patience=0,
        freeze_epochs=0,
        fine_tune_from=None,
        fine_tune_learning_rate=None,
        mixed_precision=False,
        distillation=None,
    )
    with tempfile.TemporaryDirectory() as folder:
        try:
            fitting.fit_model(aware, chosen, data, parent.input, fitting.Setting(Path(folder), say, bar))
        except NonFiniteLossError as error:
            raise FerError("the fine-tuning came to no finite loss: lower --qat-learning-rate") from error
    return aware


def _settle_ranges(aware: Any, inputs: preprocessing.Floats) -> None:
    """Set the activations' ranges to those of a few batches before the first step of training.

    TFMOT starts each at -6..6 and moves it by a thousandth of the way in a step: left alone, most of a short
    fine-tuning would go by with activations cut off. From how far one forward pass moved a range follows where it was
    moving to. Ranges are found from the input on, one layer's depending on those before, hence several passes.
    """
    # Those of weights, and of the model's input, are exact at each step already.
    ends = ("output_min:0", "output_max:0", "post_activation_min:0", "post_activation_max:0")
    ranges = [weight for weight in aware.weights if weight.name.endswith(ends)]
    statistics = [weight for weight in aware.non_trainable_weights if "moving_" in weight.name]
    kept_statistics = [weight.numpy() for weight in statistics]
    for step in range(_SETTLING_STEPS):
        old = [weight.numpy() for weight in ranges]
        chosen = np.random.default_rng(step).choice(len(inputs), min(_SETTLING_BATCH, len(inputs)), replace=False)
        aware(tf.constant(inputs[chosen]), training=True)
        for weight, before in zip(ranges, old, strict=True):
            weight.assign(before + (weight.numpy() - before) / (1 - _KEPT))
    for weight, value in zip(statistics, kept_statistics, strict=True):
        weight.assign(value)


def _with_even_depthwise_kernels(model: Any) -> Any:
    """Give a copy of a model, the same function, whose depthwise kernels all have the same largest weight.

    TFMOT rounds a depthwise kernel with one scale for all channels, and trained kernels differ by orders of magnitude:
    the small ones would become zero. The batch normalization behind takes the factor over.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        if not isinstance(layer, keras.layers.DepthwiseConv2D) or layer.use_bias:
            continue
        followers = [node.outbound_layer for node in layer.outbound_nodes]
        if [type(follower) for follower in followers] != [keras.layers.BatchNormalization]:
            continue
        (follower,) = followers
        (kernel,) = layer.get_weights()
        gamma, beta, mean, variance = follower.get_weights()
        largest = np.abs(kernel).max(axis=(0, 1, 3))
        factor = np.where(largest > 0, largest, 1)
        scaled = variance / factor**2
        # With epsilon the division by the deviation is not quite free of scale: gamma makes it exact.
        gamma = gamma * factor * np.sqrt(scaled + follower.epsilon) / np.sqrt(variance + follower.epsilon)
        layer.set_weights([kernel / factor[:, np.newaxis]])
        follower.set_weights([gamma, beta, mean / factor, scaled])
    return copy
