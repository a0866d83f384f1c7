"""Six convolution blocks with Gaussian noise on the picture, and three wide dense layers."""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _layers
from fer_train.keras_setup import keras

SUMMARY = "6 convolutions 64 to 256 with noise, dense 512-1024-1024"
CHANNELS = (1, 3)
SMALLEST_INPUT = 32
INPUT_SCALE = 1 / 255
INPUT_OFFSET = 0.0
_NOISE = 0.05


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, channels] float32 in 0..1 to [N, classes] probabilities."""
    inputs = x = keras.Input((plan.input_size, plan.input_size, plan.channels))
    x = keras.layers.GaussianNoise(_NOISE)(x)
    for number, filters in enumerate((64, 128, 128, 256, 256, 256)):
        x = _layers.conv(x, filters, plan, batch_norm=number > 0)
        if number < 5:
            x = keras.layers.MaxPooling2D()(x)
        x = _layers.drop(x, plan.dropout / 2)
    x = keras.layers.Flatten()(x)
    for units in (512, 1024, 1024):
        x = _layers.dense(x, units, plan)
    return _layers.finish(inputs, x, plan, "complex-cnn-2")
