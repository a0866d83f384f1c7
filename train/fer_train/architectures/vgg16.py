"""VGG-16 (Simonyan and Zisserman 2015, arXiv:1409.1556) with a dense head."""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _layers, _transfer
from fer_train.keras_setup import keras

SUMMARY = "transfer from VGG16; global average, dense head"
CHANNELS = (3,)
SMALLEST_INPUT = 32
BACKBONE_END = "block5_pool"
INPUT_SCALE = 1.0
INPUT_OFFSET = -117.0  # near the means of ImageNet's blue, green and red (103.9, 116.8, 123.7), on a grey picture


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, 3] float32 in -117..138 to [N, classes] probabilities."""
    backbone = _transfer.backbone(keras.applications.VGG16, plan, "vgg16")
    x = keras.layers.GlobalAveragePooling2D()(backbone.output)
    for units in plan.head:
        x = _layers.dense(x, units, plan)
    return _layers.finish(backbone.input, x, plan, "vgg16")
