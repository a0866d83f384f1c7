"""Bias correction: what rounding the weights adds to a layer's mean output is taken off again.

Source: Nagel et al. 2019, arXiv:1906.04721, section 4.2, measured on training faces as in its appendix. A channel whose
input hardly varies gets, once batch normalization is folded into it, large weights that cancel each other; rounded,
they leave a constant as large as the signal.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_edge import preprocessing
from fer_train.keras_setup import keras, tf

_FACES = 100
_LARGEST = 127
# The axes of a kernel that number the output's channels.
_CHANNELS = {keras.layers.Conv2D: (3,), keras.layers.DepthwiseConv2D: (2, 3), keras.layers.Dense: (1,)}
# What Keras makes of a plain TensorFlow operation has arguments of its own.
_OPERATIONS = frozenset({"TFOpLambda", "SlicingOpLambda"})


def corrected(model: Any, inputs: preprocessing.Floats) -> Any:
    """Give a copy of a model whose biases make up for int8 weights with a scale for each channel.

    Layers are corrected from the input on, each for what is left of the rounding before it as well.

    Args:
        model: From [N, H, W, C] float32; left as it is.
        inputs: [N, H, W, C] float32 training faces, of which the first are used.

    Returns:
        The copy. Its weights are not rounded: the converter rounds them to what was corrected for. The model itself
        where it is not a graph of plain layers, each used once.
    """
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    if any(len(layer.inbound_nodes) != 1 or type(layer).__name__ in _OPERATIONS for layer in layers):
        return model
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    uses = Counter(id(tensor) for layer in layers for tensor in _inputs(layer))
    faces = tf.constant(inputs[:_FACES])
    # What the model has for each tensor of its graph, and what the copy has with rounded weights.
    values = {id(model.input): (faces, faces)}
    for theirs in layers:
        ours = copy.get_layer(theirs.name)
        given = [values[id(tensor)] for tensor in _inputs(theirs)]
        wanted = _call(theirs, [pair[0] for pair in given])
        found = _call_rounded(ours, [pair[1] for pair in given])
        if type(ours) in _CHANNELS:
            found = _correct(ours, wanted, found)
        values[id(theirs.output)] = (wanted, found)
        for tensor in _inputs(theirs):
            uses[id(tensor)] -= 1
            if not uses[id(tensor)]:
                del values[id(tensor)]
    return copy


def rounded(kernel: npt.NDArray[np.float32], channels: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Round a kernel to the steps -127..127 of a scale for each channel, as TFLite stores it."""
    others = tuple(axis for axis in range(kernel.ndim) if axis not in channels)
    scale = np.abs(kernel).max(axis=others, keepdims=True) / _LARGEST
    return np.asarray(np.rint(kernel / np.where(scale > 0, scale, 1)) * scale, np.float32)


def _inputs(layer: Any) -> list[Any]:
    return layer.input if isinstance(layer.input, list) else [layer.input]


def _call(layer: Any, given: list[Any]) -> Any:
    return layer(given if len(given) > 1 else given[0])


def _call_rounded(layer: Any, given: list[Any]) -> Any:
    channels = _CHANNELS.get(type(layer))
    if channels is None:
        return _call(layer, given)
    weights = layer.get_weights()
    layer.set_weights([rounded(weights[0], channels), *weights[1:]])
    result = _call(layer, given)
    layer.set_weights(weights)
    return result


def _correct(layer: Any, wanted: Any, found: Any) -> Any:
    """Give a layer's rounded output the mean of the wanted one, by its bias or by the batch normalization behind it.

    Returns:
        The output as it is then.
    """
    shift = tf.reduce_mean(wanted - found, axis=range(len(found.shape) - 1)).numpy()
    if layer.use_bias:
        *kernels, bias = layer.get_weights()
        layer.set_weights([*kernels, bias + shift])
        return found + shift
    followers = [node.outbound_layer for node in layer.outbound_nodes]
    if [type(follower) for follower in followers] == [keras.layers.BatchNormalization]:
        moving_mean = followers[0].moving_mean
        moving_mean.assign(moving_mean - shift)
    return found
