"""A pre-activation residual network (He et al. 2016, arXiv:1603.05027) made for faces of 48 pixels."""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _layers
from fer_train.keras_setup import keras

SUMMARY = "residual network of 4 stages with 32 to 256 channels, 2 blocks each"
CHANNELS = (1, 3)
SMALLEST_INPUT = 16
INPUT_SCALE = 1 / 127.5
INPUT_OFFSET = -1.0


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, channels] float32 in -1..1 to [N, classes] probabilities."""
    inputs = keras.Input((plan.input_size, plan.input_size, plan.channels))
    x = _conv(inputs, 32, 1, plan)
    for stage, filters in enumerate((32, 64, 128, 256)):
        for block in range(2):
            x = _residual(x, filters, 2 if stage and not block else 1, plan)
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return _layers.finish(inputs, _layers.drop(x, plan.dropout), plan, "resnet-small")


def _conv(x: Any, filters: int, stride: int, plan: Plan, size: int = 3) -> Any:
    return keras.layers.Conv2D(
        filters, size, stride, "same", use_bias=False, kernel_regularizer=_layers.regularizer(plan)
    )(x)


def _residual(x: Any, filters: int, stride: int, plan: Plan) -> Any:
    before = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
    straight = x if stride == 1 and x.shape[-1] == filters else _conv(before, filters, stride, plan, size=1)
    y = _conv(before, filters, stride, plan)
    y = _conv(keras.layers.ReLU()(keras.layers.BatchNormalization()(y)), filters, 1, plan)
    return keras.layers.Add()([straight, y])
