"""MobileNetV2 in the form that XNNPACK runs sparse: pruned to zeros, its 1 x 1 convolutions skip them.

XNNPACK wants a 3 x 3 first convolution of stride 2 from 3 channels, zeros around the picture on every side before each
convolution of stride 2, and a global average that keeps its dimensions (Elsen et al. 2019, arXiv:1911.09723;
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/delegates/xnnpack/README.md#sparse-inference).
Keras pads at the right and below alone, so the features lie half a pixel away from where ImageNet's weights learnt
them: they still transfer.
"""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan, _transfer, mobilenetv2
from fer_train.keras_setup import keras

SUMMARY = "mobilenetv2 in the form that XNNPACK runs faster once pruned"
CHANNELS = (3,)
SMALLEST_INPUT = mobilenetv2.SMALLEST_INPUT
BACKBONE_END = mobilenetv2.BACKBONE_END
INPUT_SCALE = mobilenetv2.INPUT_SCALE
INPUT_OFFSET = mobilenetv2.INPUT_OFFSET


def build(plan: Plan) -> Any:
    """Build the network: [N, size, size, 3] float32 in -1..1 to [N, classes] probabilities."""
    backbone = _padded(_transfer.backbone(keras.applications.MobileNetV2, plan, "mobilenetv2-sparse", alpha=plan.alpha))
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pool")(backbone.output)
    features = keras.layers.Flatten(name="flat")(pooled)
    return mobilenetv2.with_head(backbone, features, plan, "mobilenetv2_sparse")


def _padded(backbone: Any) -> Any:
    """Give a copy of a backbone with one row and column of zeros on every side before each stride of 2."""
    made: dict[int, Any] = {}
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.InputLayer):
            made[id(layer.output)] = keras.Input(layer.output.shape[1:], name=layer.name)
            continue
        found = layer.input if isinstance(layer.input, list) else [layer.input]
        inputs = [made[id(tensor)] for tensor in found]
        config = layer.get_config()
        if isinstance(layer, keras.layers.ZeroPadding2D):
            config["padding"] = 1
        elif type(layer) is keras.layers.Conv2D and layer.strides != (1, 1):
            config["padding"] = "valid"
            inputs = [keras.layers.ZeroPadding2D(1, name=f"{layer.name}_pad")(inputs[0])]
        copy = type(layer).from_config(config)
        made[id(layer.output)] = copy(inputs if len(inputs) > 1 else inputs[0])
        copy.set_weights(layer.get_weights())
    return keras.Model(made[id(backbone.input)], made[id(backbone.output)], name=backbone.name)
