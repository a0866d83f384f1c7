"""Backbones from `keras.applications`, with ImageNet's weights, a file's or none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fer_edge.errors import FerError, UsageError
from fer_train.architectures import Plan, _layers
from fer_train.keras_setup import keras


def backbone(make: Callable[..., Any], plan: Plan, name: str, **options: Any) -> Any:
    """Build a backbone without its classifier.

    Args:
        make: A function of `keras.applications`.
        plan: Size, channels and weights.
        name: Of the architecture, for messages.
        options: More arguments for `make`.

    Returns:
        A Keras model from [N, size, size, channels] to its last feature map, or what `pooling` makes of it.

    Raises:
        UsageError: The weights do not fit.
        FerError: ImageNet weights cannot be downloaded.
    """
    if plan.weights == "none":
        return _make(make, plan, plan.channels, None, name, options)
    coloured = _make(make, plan, 3, plan.weights, name, options)
    if plan.channels == 3:
        return coloured
    # A grey picture repeated in three channels meets the sum of the three kernels: the same network, a third the input.
    gray = _make(make, plan, 1, None, name, options)
    first = next(layer for layer in gray.layers if isinstance(layer, keras.layers.Conv2D))
    for ours, theirs in zip(gray.layers, coloured.layers, strict=True):
        weights = theirs.get_weights()
        if ours is first:
            weights[0] = weights[0].sum(axis=2, keepdims=True)
        ours.set_weights(weights)
    return gray


def _make(
    make: Callable[..., Any], plan: Plan, channels: int, weights: str | None, name: str, options: dict[str, Any]
) -> Any:
    if weights not in (None, "imagenet") and not Path(weights).is_file():
        raise UsageError(f"no weights at {weights}: give 'imagenet', 'none' or an .h5 file")
    shape = (plan.input_size, plan.input_size, channels)
    try:
        return make(input_shape=shape, include_top=False, weights=weights, **options)
    except (ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        what = f"{name} at alpha {plan.alpha}" if "alpha" in options else name
        raise UsageError(f"{what} cannot take the weights {weights}: {reason}") from error
    except Exception as error:  # Keras wraps what its downloader raises in a bare Exception
        if "URL fetch failure" not in str(error):
            raise
        raise FerError("the ImageNet weights cannot be downloaded: give an .h5 file with --weights FILE") from error


def with_deep_head(base: Any, plan: Plan, name: str) -> Any:
    """Add the head of the published comparisons: flatten, dense 256, 128, dropout, 64, batch normalization."""
    x = keras.layers.Flatten()(base.output)
    x = _layers.dense(x, 256, plan)
    x = _layers.dense(x, 128, plan)
    x = keras.layers.Dense(64, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    return _layers.finish(base.input, x, plan, name)
