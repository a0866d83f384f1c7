"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) with the dense head of the published expression pipelines."""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _layers, _transfer
from fer_train.keras_setup import keras

SUMMARY = "transfer from MobileNetV2, any width; global average, dense head"
CHANNELS = (3, 1)
SMALLEST_INPUT = 32
BACKBONE_END = "out_relu"
# Keras' ImageNet weights want -1..1 (keras.applications.mobilenet_v2.preprocess_input).
INPUT_SCALE = 1 / 127.5
INPUT_OFFSET = -1.0

# Keras' 0.999 averages over a thousand steps: in a short fine-tuning the moving averages lag behind the weights, and
# validation looks 10 to 20 points worse than the model is.
BATCH_NORM_MOMENTUM = 0.99


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, channels] float32 in -1..1 to [N, classes] probabilities."""
    backbone = _transfer.backbone(keras.applications.MobileNetV2, plan, "mobilenetv2", alpha=plan.alpha, pooling="avg")
    return with_head(backbone, backbone.output, plan, "mobilenetv2")


def with_head(backbone: Any, features: Any, plan: Plan, name: str) -> Any:
    """Add the plan's dense layers to features [N, F] of a backbone; its batch normalization then follows faster."""
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    features = _layers.drop(features, plan.dropout)
    for number, units in enumerate(plan.head, start=1):
        features = keras.layers.Dense(units, name=f"head_{number}")(features)
        features = keras.layers.ReLU(name=f"head_{number}_relu")(features)
    return _layers.finish(backbone.input, features, plan, name)
