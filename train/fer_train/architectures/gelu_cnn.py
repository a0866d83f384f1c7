"""Four wide convolutions with GELU: the network whose published training overfits."""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _layers
from fer_train.keras_setup import keras

SUMMARY = "4 convolutions 128-256-512-512 with GELU, dense 256-512"
CHANNELS = (1, 3)
SMALLEST_INPUT = 16
INPUT_SCALE = 1 / 255
INPUT_OFFSET = 0.0


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, channels] float32 in 0..1 to [N, classes] probabilities.

    As published: dropout 0.4 after each convolution; `plan.batch_norm` adds batch normalization.
    """
    inputs = x = keras.Input((plan.input_size, plan.input_size, plan.channels))
    for filters in (128, 256, 512, 512):
        x = _layers.conv(x, filters, plan, batch_norm=plan.batch_norm, activation="gelu")
        x = keras.layers.MaxPooling2D()(x)
        x = _layers.drop(x, plan.dropout)
    x = keras.layers.Flatten()(x)
    for units in (256, 512):
        x = _layers.dense(x, units, plan, batch_norm=plan.batch_norm, activation="gelu")
    return _layers.finish(inputs, x, plan, "gelu-cnn")
