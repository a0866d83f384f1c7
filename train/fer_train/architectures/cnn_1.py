"""Three convolutions with batch normalization and one dense layer: the small network of the published comparisons."""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _layers
from fer_train.keras_setup import keras

SUMMARY = "3 convolutions 32-64-128, dense 128"
CHANNELS = (1, 3)
SMALLEST_INPUT = 16
INPUT_SCALE = 1 / 255
INPUT_OFFSET = 0.0


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, channels] float32 in 0..1 to [N, classes] probabilities."""
    inputs = x = keras.Input((plan.input_size, plan.input_size, plan.channels))
    for filters in (32, 64, 128):
        x = _layers.conv(x, filters, plan, batch_norm=True)
        x = keras.layers.MaxPooling2D()(x)
    x = _layers.dense(keras.layers.Flatten()(x), 128, plan)
    return _layers.finish(inputs, x, plan, "cnn-1")
