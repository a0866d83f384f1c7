"""Quantization-aware training: a float model fine-tuned with int8 rounding in the loop, by TFMOT.

Source: Jacob et al. 2018, arXiv:1712.05877.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from fer_convert.pruning import KeepZeros
from fer_convert.tuning import Lesson, Tuning, quiet
from fer_edge import preprocessing
from fer_edge.errors import FerError
from fer_train.keras_setup import keras, tf

# What the moving averages of TFMOT keep of an old range in a step.
_KEPT = 0.999
_SETTLING_STEPS = 20
_SETTLING_BATCH = 100


# How TFMOT names a layer that it does not know: with its name, and without.
_UNKNOWN = re.compile(r"Layer (?P<name>[^\s:]+):<class '[\w.]*\.(?P<kind>\w+)'>|layer <class '[\w.]*\.(?P<other>\w+)'>")


def fine_tune(model: Any, calibration: preprocessing.Pixels, tuning: Tuning, lesson: Lesson, *, pruned: bool) -> Any:
    """Give a copy of a model that was trained with every weight and activation rounded to int8.

    Args:
        model: The float model, left as it is.
        calibration: [N, H, W] uint8 fitted training faces, for the first ranges of the activations.
        tuning: How long and how fast.
        lesson: What it learns.
        pruned: Whether the weights that are zero stay zero.

    Raises:
        FerError: TFMOT is not installed, does not support a layer, or the loss is not finite.
    """
    settings = lesson.settings(tuning)
    keras.utils.set_random_seed(settings.seed)
    aware = rounding(model, pruned=pruned)
    _settle_ranges(aware, preprocessing.to_input(calibration, lesson.parent.input))
    lesson.fit(aware, settings, callbacks=(KeepStatistics(), *([KeepZeros(aware)] if pruned else [])))
    return aware


class KeepStatistics(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Lets batch normalization stand still, as the float model that teaches has it.

    By the statistics of each batch the model would differ from its teacher by more than by the rounding.
    """

    def on_train_begin(self, logs: Any = None) -> None:
        """Freeze the layers; a fitting lets all be trained when it starts."""
        del logs
        for layer in self.model.layers:
            inner = getattr(layer, "layer", None)
            if isinstance(inner, keras.layers.BatchNormalization):
                inner.trainable = False


def rounding(model: Any, *, pruned: bool) -> Any:
    """Give a copy of a model that rounds its weights and activations as int8 would, ranges unset.

    Raises:
        FerError: TFMOT is not installed, or does not support a layer.
    """
    try:
        from tensorflow_model_optimization.experimental import combine
        from tensorflow_model_optimization.quantization import keras as quantization
    except ImportError as error:
        raise FerError(f"{error}: --qat needs the workstation extra: pip install 'fer-edge[workstation]'") from error
    scheme = [combine.Default8BitPrunePreserveQuantizeScheme()] if pruned else []
    try:
        annotated = quantization.quantize_annotate_model(_with_even_depthwise_kernels(model))
        return quantization.quantize_apply(annotated, *scheme)
    except (ValueError, RuntimeError) as error:
        raise FerError(
            f"quantization-aware training does not support {_named(str(error))}: take --int8, which needs no training"
        ) from error


def _named(reason: str) -> str:
    """Name the layer that TFMOT refuses, by what it says."""
    found = _UNKNOWN.search(reason)
    if found is None:
        return f"this model ({reason.splitlines()[0]})"
    return f"the layer {found['name']} ({found['kind']})" if found["name"] else f"a layer {found['other']}"


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
    copy = keras.models.clone_model(model, clone_function=quiet)
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
