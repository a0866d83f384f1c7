"""Which TFLite release a model needs, corrected where TensorFlow's converter says too little.

The converter writes it as `min_runtime_version`, and is wrong in two ways (seen with TensorFlow 2.21):

- It writes the float model's number into a 16x8 model, and leaves the operators the versions of their int8 kernels.
- It gives dense weights of integer models a scale a channel and lets FULLY_CONNECTED stay at version 4. Releases before
  2.10 take version 4 and compute with the first channel's scale: no error, but wrong answers. (The kernel,
  `FullyConnectedPerChannel`, is in the wheels of tflite-runtime from 2.10.0 on and not in 2.9.1.)

An interpreter that is too old for a model so is refused by `fer_edge.interpreter` and never runs it.
"""

from __future__ import annotations

from fer_convert import flatbuffer
from fer_convert.flatbuffer import Layer
from fer_edge.releases import numbers

# By operator the release that brought each version, from 1 on; by TensorFlow's list,
# tensorflow/compiler/mlir/lite/tools/versioning/runtime_version.cc. Operators that are not here are left to the
# converter.
_SINCE = {
    "ADD": "1.5.0 1.14.0 2.4.0 2.6.0 2.13.0 2.23.0",
    "AVERAGE_POOL_2D": "1.5.0 1.14.0 2.3.0",
    "CONCATENATION": "1.5.0 1.14.0 2.3.0 2.14.0 2.21.0",
    "CONV_2D": "1.5.0 1.14.0 1.14.0 2.3.0 2.4.0 2.9.0 2.11.0 2.15.0",
    "DEPTHWISE_CONV_2D": "1.5.0 1.12.0 1.14.0 2.2.0 2.3.0 2.3.0 2.11.0",
    "DEQUANTIZE": "1.13.1 1.14.0 1.15.0 2.2.0 2.7.0 2.18.0 2.21.0 2.22.0",
    "FULLY_CONNECTED": "1.5.0 1.10.0 1.14.0 1.14.0 2.0.0 2.1.0 2.3.0 2.3.0 2.3.0 2.11.0 2.15.0 2.17.0 2.18.0 2.21.0",
    "GELU": "2.9.0 2.9.0",
    "HARD_SWISH": "1.15.0",
    "LEAKY_RELU": "1.13.1 2.3.0",
    "LOGISTIC": "1.14.0 1.14.0 2.3.0",
    "MAX_POOL_2D": "1.5.0 1.14.0 2.3.0",
    "MEAN": "1.6.0 1.14.0 2.4.0",
    "MUL": "1.5.0 1.14.0 1.15.0 2.3.0 2.6.0 2.11.0 2.13.0 2.23.0",
    "PAD": "1.5.0 1.14.0 2.4.0 2.6.0 2.20.0",
    "QUANTIZE": "1.14.0 1.15.0 2.7.0 2.21.0 2.21.0 2.21.0",
    "RELU": "1.5.0 2.1.0 2.5.0",
    "RESHAPE": "1.5.0",
    "SOFTMAX": "1.5.0 1.14.0 2.3.0",
}
# The version that took 16-bit integers.
_INT16_VERSION = {
    "ADD": 3,
    "AVERAGE_POOL_2D": 3,
    "CONCATENATION": 3,
    "CONV_2D": 4,
    "DEPTHWISE_CONV_2D": 5,
    "FULLY_CONNECTED": 7,
    "LEAKY_RELU": 2,
    "LOGISTIC": 3,
    "MAX_POOL_2D": 3,
    "MEAN": 3,
    "MUL": 4,
    "PAD": 3,
    "QUANTIZE": 2,
    "RELU": 3,
    "SOFTMAX": 3,
}
_DENSE_SCALES_SINCE = "2.10.0"


def minimum(model: bytes) -> str | None:
    """Give the lowest TFLite release that runs a model rightly, by TensorFlow's numbers.

    Args:
        model: A TFLite flatbuffer.

    Returns:
        The newest of what the converter wrote and what the operators need; None where neither says anything.
    """
    found = [since for layer in flatbuffer.layers(model) for since in _needed(layer)]
    written = flatbuffer.minimum_runtime(model)
    return max([*found, *([written] if written else [])], key=numbers, default=None)


def _needed(layer: Layer) -> list[str]:
    """Give the releases that brought what a layer needs."""
    needed = []
    if layer.operator in _SINCE:
        since = _SINCE[layer.operator].split()
        version = max(layer.version, _INT16_VERSION.get(layer.operator, 1) if layer.type == "int16" else 1)
        needed.append(since[min(version, len(since)) - 1])
    if layer.operator == "FULLY_CONNECTED" and layer.type in ("int8", "int16") and layer.weight_scales > 1:
        needed.append(_DENSE_SCALES_SINCE)
    return needed
