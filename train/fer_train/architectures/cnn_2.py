"""Three wider convolutions and two dense layers, on the picture repeated in three channels."""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _layers
from fer_train.keras_setup import keras

SUMMARY = "3 convolutions 64-128-256, dense 256-128"
CHANNELS = (3, 1)
SMALLEST_INPUT = 16
INPUT_SCALE = 1 / 255
INPUT_OFFSET = 0.0


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, channels] float32 in 0..1 to [N, classes] probabilities."""
    inputs = x = keras.Input((plan.input_size, plan.input_size, plan.channels))
    for number, filters in enumerate((64, 128, 256)):
        x = _layers.conv(x, filters, plan, batch_norm=number > 0)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    for units in (256, 128):
        x = _layers.dense(x, units, plan)
    return _layers.finish(inputs, x, plan, "cnn-2")
