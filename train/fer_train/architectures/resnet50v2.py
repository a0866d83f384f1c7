"""ResNet-50 with pre-activation (He et al. 2016, arXiv:1603.05027) and the published dense head."""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _transfer
from fer_train.keras_setup import keras

SUMMARY = "transfer from ResNet50V2; flatten, dense 256-128-64"
CHANNELS = (3, 1)
SMALLEST_INPUT = 32
BACKBONE_END = "post_relu"
INPUT_SCALE = 1 / 127.5
INPUT_OFFSET = -1.0


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, channels] float32 in -1..1 to [N, classes] probabilities."""
    backbone = _transfer.backbone(keras.applications.ResNet50V2, plan, "resnet50v2")
    return _transfer.with_deep_head(backbone, plan, "resnet50v2")
