"""A network of some 65 thousand weights for the smallest devices: inverted residuals (Sandler et al. 2018).

The early layers are full convolutions: on few channels they cost processors less than depthwise ones and the many small
steps around them (Tan & Le 2021, arXiv:2104.00298, find the same).
"""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _layers
from fer_train.keras_setup import keras

SUMMARY = "2 convolutions of 16 and 32, 5 inverted residuals of 32 and 64 channels"
CHANNELS = (1, 3)
SMALLEST_INPUT = 24
INPUT_SCALE = 1 / 127.5
INPUT_OFFSET = -1.0

# Channels, factor of the expansion, stride.
_BLOCKS = ((32, 2, 1), (32, 2, 1), (64, 3, 2), (64, 2, 1), (64, 2, 1))


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, channels] float32 in -1..1 to [N, classes] probabilities."""
    inputs = keras.Input((plan.input_size, plan.input_size, plan.channels))
    x = _conv(inputs, 16, 5, 2, plan)
    x = _conv(x, 32, 3, 2, plan)
    for filters, factor, stride in _BLOCKS:
        x = _inverted_residual(x, filters, factor, stride, plan)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return _layers.finish(inputs, _layers.drop(x, plan.dropout), plan, "nano")


def _conv(x: Any, filters: int, size: int, stride: int, plan: Plan, *, relu: bool = True) -> Any:
    regularizer = _layers.regularizer(plan)
    x = keras.layers.Conv2D(filters, size, stride, "same", use_bias=False, kernel_regularizer=regularizer)(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.ReLU()(x) if relu else x


def _inverted_residual(x: Any, filters: int, factor: int, stride: int, plan: Plan) -> Any:
    y = _conv(x, factor * x.shape[-1], 1, 1, plan)
    y = keras.layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(y)
    y = keras.layers.ReLU()(keras.layers.BatchNormalization()(y))
    y = _conv(y, filters, 1, 1, plan, relu=False)
    return keras.layers.Add()([x, y]) if stride == 1 and x.shape[-1] == filters else y
