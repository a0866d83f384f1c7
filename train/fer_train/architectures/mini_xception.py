"""mini-XCEPTION (Arriaga et al. 2017, arXiv:1710.07557): the small network that others are compared with.

Two 3 x 3 convolutions of 8 without padding, four residual modules of depthwise-separable convolutions with 16, 32, 64
and 128 channels, each halving its picture, a convolution to the classes, and their global average. 58,423 parameters
for 7 classes of grey faces, at any size: 64 x 64 as published. The depthwise and the pointwise half of a separable
convolution are layers of their own, which is the same network, and lets fer-convert correct, prune and train both.
"""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _layers
from fer_train.keras_setup import keras

SUMMARY = "2 convolutions of 8, 4 residual separable modules 16 to 128, no dense layer; the published 58 k network"
CHANNELS = (1, 3)
SMALLEST_INPUT = 32
INPUT_SCALE = 1 / 127.5
INPUT_OFFSET = -1.0


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, channels] float32 in -1..1 to [N, classes] probabilities."""
    inputs = x = keras.Input((plan.input_size, plan.input_size, plan.channels))
    for _ in range(2):
        x = keras.layers.ReLU()(_normalized(_conv(x, 8, 3, plan, padding="valid")))
    for filters in (16, 32, 64, 128):
        x = _module(x, filters, plan)
    x = _layers.drop(x, plan.dropout)
    x = keras.layers.Conv2D(plan.classes, 3, padding="same", name="scores_by_place")(x)
    scores = keras.layers.GlobalAveragePooling2D(name="scores", dtype="float32")(x)
    probabilities = keras.layers.Softmax(name="probabilities", dtype="float32")(scores)
    return keras.Model(inputs, probabilities, name="mini-xception")


def _module(x: Any, filters: int, plan: Plan) -> Any:
    """Add a residual module, which halves rows and columns."""
    straight = _normalized(_conv(x, filters, 1, plan, strides=2))
    x = keras.layers.ReLU()(_normalized(_separable(x, filters, plan)))
    x = _normalized(_separable(x, filters, plan))
    return keras.layers.Add()([keras.layers.MaxPooling2D(3, 2, "same")(x), straight])


def _separable(x: Any, filters: int, plan: Plan) -> Any:
    penalty = _layers.regularizer(plan)
    x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False, depthwise_regularizer=penalty)(x)
    return _conv(x, filters, 1, plan)


def _conv(x: Any, filters: int, size: int, plan: Plan, *, strides: int = 1, padding: str = "same") -> Any:
    penalty = _layers.regularizer(plan)
    return keras.layers.Conv2D(filters, size, strides, padding, use_bias=False, kernel_regularizer=penalty)(x)


def _normalized(x: Any) -> Any:
    return keras.layers.BatchNormalization()(x)
