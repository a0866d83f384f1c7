"""A residual network (He et al. 2016, arXiv:1512.03385) with squeeze-and-excitation (Hu et al. 2018, arXiv:1709.01507).

Full convolutions on few, small maps: at 48 pixels they are what processors with integer dot products are fastest at.
"""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _layers
from fer_train.keras_setup import keras

SUMMARY = "residual blocks with squeeze-and-excitation: 1 of 48, 2 of 96, 2 of 192 channels"
CHANNELS = (1, 3)
SMALLEST_INPUT = 24
INPUT_SCALE = 1 / 127.5
INPUT_OFFSET = -1.0

_STAGES = ((48, 1), (96, 2), (192, 2))
# Of the channels, in the bottleneck that weighs them.
_SQUEEZE = 8


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, channels] float32 in -1..1 to [N, classes] probabilities."""
    inputs = keras.Input((plan.input_size, plan.input_size, plan.channels))
    x = _conv(_conv(inputs, _wide(32, plan), 1, plan), _wide(_STAGES[0][0], plan), 2, plan)
    for stage, (filters, blocks) in enumerate(_STAGES):
        for block in range(blocks):
            x = _residual(x, _wide(filters, plan), 2 if stage and not block else 1, plan)
        x = _layers.drop(x, plan.dropout / 2)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return _layers.finish(inputs, _layers.drop(x, plan.dropout), plan, "residual-se")


def _wide(filters: int, plan: Plan) -> int:
    return max(8, round(filters * plan.alpha / 8) * 8)


def _conv(x: Any, filters: int, stride: int, plan: Plan, *, size: int = 3, relu: bool = True) -> Any:
    regularizer = _layers.regularizer(plan)
    x = keras.layers.Conv2D(filters, size, stride, "same", use_bias=False, kernel_regularizer=regularizer)(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.ReLU()(x) if relu else x


def _residual(x: Any, filters: int, stride: int, plan: Plan) -> Any:
    y = _conv(_conv(x, filters, stride, plan), filters, 1, plan, relu=False)
    y = _squeezed_and_excited(y)
    if stride > 1:
        # What a strided convolution of one pixel would leave out counts here too (He et al. 2019, arXiv:1812.01187).
        x = keras.layers.AveragePooling2D(stride, padding="same")(x)
    if x.shape[-1] != filters:
        x = _conv(x, filters, 1, plan, size=1, relu=False)
    return keras.layers.ReLU()(keras.layers.Add()([x, y]))


def _squeezed_and_excited(x: Any) -> Any:
    channels = x.shape[-1]
    weights = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    weights = keras.layers.Conv2D(max(8, channels // _SQUEEZE), 1, activation="relu")(weights)
    weights = keras.layers.Conv2D(channels, 1, activation="sigmoid")(weights)
    return keras.layers.Multiply()([x, weights])
