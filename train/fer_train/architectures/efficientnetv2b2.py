"""EfficientNetV2-B2 (Tan and Le 2021, arXiv:2104.00298) and the published dense head."""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _transfer
from fer_train.keras_setup import keras

SUMMARY = "transfer from EfficientNetV2B2; flatten, dense 256-128-64"
CHANNELS = (3,)
SMALLEST_INPUT = 32
BACKBONE_END = "top_activation"
# Keras' network scales 0..255 by itself.
INPUT_SCALE = 1.0
INPUT_OFFSET = 0.0


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, 3] float32 in 0..255 to [N, classes] probabilities."""
    backbone = _transfer.backbone(keras.applications.EfficientNetV2B2, plan, "efficientnetv2b2")
    return _transfer.with_deep_head(backbone, plan, "efficientnetv2b2")
