"""Pruning: the smallest weights of a model made zero while it trains on, by TFMOT.

Source: Zhu and Gupta 2017, arXiv:1710.01878; two of four: Mishra et al. 2021, arXiv:2104.08378; how many zeros each
layer takes: Evci et al. 2020, arXiv:1911.11134.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from fer_convert.recipes import Sparsity
from fer_convert.tuning import Lesson, Tuning, quiet
from fer_edge.errors import FerError
from fer_train import pipeline
from fer_train.keras_setup import keras, tf

# The zeros are reached after this share of the epochs; the rest lets the other weights settle.
_RAMP = 0.6
# Weights are chosen this often on the way.
_UPDATES = 30


def prune(model: Any, sparsity: Sparsity, tuning: Tuning, lesson: Lesson) -> Any:
    """Give a copy of a model that was trained on while its smallest weights became zero.

    The first and the last layer stay whole: they hold few weights and each counts for much.

    Args:
        model: The float model, left as it is.
        sparsity: How many zeros.
        tuning: How long and how fast.
        lesson: Data and teachers.

    Raises:
        FerError: TFMOT is not installed, there is nothing to prune, or the loss is not finite.
    """
    try:
        from tensorflow_model_optimization.sparsity import keras as sparse
    except ImportError as error:
        raise FerError(f"{error}: --prune needs the workstation extra: pip install 'fer-edge[workstation]'") from error
    layers = _prunable(model, sparsity)
    if not layers:
        raise FerError("the model has no convolution or dense layer between its first and last that can be pruned")
    chosen = _shares(layers, sparsity)
    settings = lesson.settings(tuning)
    keras.utils.set_random_seed(settings.seed)
    steps = pipeline.steps(lesson.data.split("train"), settings)
    if sparsity.pattern is None:
        # The last update must fall on the last step of the schedule, or the zeros would end short of their share.
        ramp = max(1, int(_RAMP * steps * settings.epochs))
        every = max(1, ramp // _UPDATES)
        last = ramp // every * every
    else:
        # TFMOT chooses a pattern once, at the start.
        last = 0

    def wrapped(layer: Any) -> Any:
        copy = quiet(layer)
        if layer.name not in chosen:
            return copy
        share = chosen[layer.name]
        if sparsity.pattern is None:
            schedule = sparse.PolynomialDecay(0.0, share, 0, last, frequency=every)
            return sparse.prune_low_magnitude(copy, schedule)
        return sparse.prune_low_magnitude(copy, sparse.ConstantSparsity(share, 0), sparsity_m_by_n=sparsity.pattern)

    wrapper = keras.models.clone_model(model, clone_function=wrapped)
    for ours, theirs in zip(wrapper.layers, model.layers, strict=True):
        (ours.layer if theirs.name in chosen else ours).set_weights(theirs.get_weights())
    keep_from = min(last // steps, settings.epochs - 1)
    lesson.fit(wrapper, settings, callbacks=(sparse.UpdatePruningStep(),), keep_from=keep_from)
    return _stripped(wrapper, model, chosen)


class KeepZeros(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Makes the zeros of kernels zero again after each step.

    TFMOT's scheme for quantization-aware training of pruned models forgets those of a dense layer with batch
    normalization behind it.
    """

    # Keras then gives tensors and leaves it to us when to wait for them.
    _supports_tf_logs = True

    def __init__(self, model: Any) -> None:
        """Remember where the kernels of a model hold zeros."""
        super().__init__()
        kernels = [weight for weight in model.trainable_weights if weight.name.endswith("kernel:0")]
        masks = [(kernel, tf.cast(kernel != 0, kernel.dtype)) for kernel in kernels]
        self._masks = [(kernel, mask) for kernel, mask in masks if tf.reduce_min(mask) == 0]

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Set them."""
        del batch, logs
        self._set()

    @tf.function  # type: ignore[untyped-decorator]
    def _set(self) -> None:
        for kernel, mask in self._masks:
            kernel.assign(kernel * mask)


def _prunable(model: Any, sparsity: Sparsity) -> list[Any]:
    """Give the convolutions and dense layers between the first and the last that can hold the zeros."""
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    # A depthwise convolution is a Conv2D to Keras in some versions; its kernel is small and TFMOT leaves it alone.
    layers = [layer for layer in model.layers if type(layer) in kinds][1:-1]
    group = 1 if sparsity.pattern is None else sparsity.pattern[1]
    return [layer for layer in layers if layer.kernel.shape[-2] % group == 0]


def _shares(layers: Sequence[Any], sparsity: Sparsity) -> dict[str, float]:
    """Give how many of each layer's weights become zero, by name; layers that stay whole are left out.

    A kernel keeps weights in proportion to the sum of its sides (Erdős-Rényi-kernel): the small ones at the beginning
    of a network, which hold few of the weights and whose loss all the rest must bear, keep more of theirs.
    """
    shapes = {layer.name: tuple(layer.kernel.shape) for layer in layers}
    if sparsity.even or sparsity.pattern is not None:
        return dict.fromkeys(shapes, sparsity.share)
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    kept, thinned = (1 - sparsity.share) * sum(sizes.values()), set(shapes)
    while True:
        # What the whole layers keep is missing for the others.
        left = kept - sum(size for name, size in sizes.items() if name not in thinned)
        scale = left / sum(sum(shapes[name]) for name in thinned)
        whole = {name for name in thinned if scale * sum(shapes[name]) >= sizes[name]}
        if not whole:
            return {name: 1 - scale * sum(shapes[name]) / sizes[name] for name in shapes if name in thinned}
        thinned -= whole


def _stripped(wrapper: Any, model: Any, chosen: Collection[str]) -> Any:
    copy = keras.models.clone_model(model)
    for ours, theirs in zip(copy.layers, wrapper.layers, strict=True):
        ours.set_weights((theirs.layer if ours.name in chosen else theirs).get_weights())
    zeros = [float(np.mean(layer.get_weights()[0] == 0)) for layer in copy.layers if layer.name in chosen]
    if not any(zeros):
        raise FerError("pruning made no weight zero: give it more epochs with --prune-epochs")
    return copy
