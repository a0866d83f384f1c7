"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) with the dense head of the published expression pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_edge.errors import FerError, UsageError
from fer_train.architectures import Plan
from fer_train.keras_setup import keras

# Keras' ImageNet weights want -1..1 (keras.applications.mobilenet_v2.preprocess_input).
INPUT_SCALE = 1 / 127.5
INPUT_OFFSET = -1.0
SMALLEST_INPUT = 32

# Keras' 0.999 averages over a thousand steps: in a short fine-tuning the moving averages lag behind the weights, and
# validation looks 10 to 20 points worse than the model is.
BATCH_NORM_MOMENTUM = 0.99


def build(plan: Plan) -> Any:
    """Build the network.

    Returns:
        A functional Keras model, [N, size, size, channels] float32 in -1..1 to [N, classes] probabilities.

    Raises:
        UsageError: The size or width is not possible, or the weights do not fit.
        FerError: ImageNet weights cannot be downloaded.
    """
    if plan.input_size < SMALLEST_INPUT:
        raise UsageError(f"mobilenetv2 needs an input of at least {SMALLEST_INPUT} pixels, not {plan.input_size}")
    backbone = _backbone(plan)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    features = backbone.output
    if plan.dropout:
        features = keras.layers.Dropout(plan.dropout)(features)
    for number, units in enumerate(plan.head, start=1):
        features = keras.layers.Dense(units, name=f"head_{number}")(features)
        features = keras.layers.ReLU(name=f"head_{number}_relu")(features)
    scores = keras.layers.Dense(plan.classes, name="scores")(features)
    return keras.Model(backbone.input, keras.layers.Softmax(name="probabilities")(scores), name="mobilenetv2")


def _backbone(plan: Plan) -> Any:
    if plan.weights == "none":
        return _keras_mobilenet(plan, plan.channels, None)
    coloured = _keras_mobilenet(plan, 3, "imagenet" if plan.weights == "imagenet" else plan.weights)
    if plan.channels == 3:
        return coloured
    # A grey picture repeated in three channels meets the sum of the three kernels: the same network, a third the input.
    gray = _keras_mobilenet(plan, 1, None)
    first = gray.get_layer("Conv1")
    for ours, theirs in zip(gray.layers, coloured.layers, strict=True):
        weights = theirs.get_weights()
        ours.set_weights([kernel.sum(axis=2, keepdims=True) for kernel in weights] if ours is first else weights)
    return gray


def _keras_mobilenet(plan: Plan, channels: int, weights: str | None) -> Any:
    if weights not in (None, "imagenet") and not Path(weights).is_file():
        raise UsageError(f"no weights at {weights}: give 'imagenet', 'none' or an .h5 file")
    try:
        return keras.applications.MobileNetV2(
            input_shape=(plan.input_size, plan.input_size, channels),
            alpha=plan.alpha,
            include_top=False,
            weights=weights,
            pooling="avg",
        )
    except (ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"mobilenetv2 at alpha {plan.alpha} cannot take the weights {weights}: {reason}") from error
    except Exception as error:  # Keras wraps what its downloader raises in a bare Exception
        if "URL fetch failure" not in str(error):
            raise
        raise FerError("the ImageNet weights cannot be downloaded: give an .h5 file with --weights FILE") from error
