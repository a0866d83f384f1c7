"""Five convolution blocks that halve the picture each, and two dense layers with batch normalization."""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _layers
from fer_train.keras_setup import keras

SUMMARY = "5 convolutions 32 to 512, dense 256-512 with batch normalization"
CHANNELS = (1, 3)
SMALLEST_INPUT = 32
INPUT_SCALE = 1 / 255
INPUT_OFFSET = 0.0


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, channels] float32 in 0..1 to [N, classes] probabilities."""
    inputs = x = keras.Input((plan.input_size, plan.input_size, plan.channels))
    for number, filters in enumerate((32, 64, 128, 256, 512)):
        x = _layers.conv(x, filters, plan, batch_norm=number > 0)
        x = keras.layers.MaxPooling2D()(x)
        x = _layers.drop(x, plan.dropout / 2)
    x = keras.layers.Flatten()(x)
    for units in (256, 512):
        x = _layers.dense(x, units, plan, batch_norm=True)
    return _layers.finish(inputs, x, plan, "complex-cnn-1")
