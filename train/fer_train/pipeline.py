"""From a split of faces to batches for Keras, holding to the device's preprocessing."""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_edge import preprocessing
from fer_edge.metadata import InputSpec
from fer_train.datasets import Split
from fer_train.keras_setup import tf


def fitted(split: Split, spec: InputSpec) -> preprocessing.Pixels:
    """Bring all faces of a split to the model's size by the device's own code: [N, height, width] uint8."""
    return np.stack([preprocessing.fit_face(face, spec) for face in split.faces])


def scale(pixels: Any, spec: InputSpec) -> Any:
    """Scale a float32 tensor [N, H, W, 1] of 0..255 to the model's input [N, H, W, channels].

    The graph's counterpart of `preprocessing.to_input`; a test holds the two equal.
    """
    return tf.repeat(pixels * spec.scale + spec.offset, spec.channels, axis=-1)


def batches(
    split: Split, spec: InputSpec, batch_size: int, *, augment: Any = None, shuffle_seed: int | None = None
) -> Any:
    """Build a `tf.data.Dataset` of (inputs [B, H, W, C] float32, labels [B] int64).

    Args:
        split: Faces and labels.
        spec: The model's input.
        batch_size: Faces a batch; the last may be smaller.
        augment: A Keras model from `augmentation.layers`, applied before scaling.
        shuffle_seed: Shuffle anew each epoch, by this seed.
    """
    faces, labels = tf.constant(fitted(split, spec)), tf.constant(split.labels)
    order = tf.data.Dataset.range(len(split))
    if shuffle_seed is not None:
        order = order.shuffle(len(split), seed=shuffle_seed, reshuffle_each_iteration=True)

    def batch(numbers: Any) -> tuple[Any, Any]:
        pixels = tf.cast(tf.gather(faces, numbers), tf.float32)[..., tf.newaxis]
        if augment is not None:
            pixels = augment(pixels, training=True)
        return scale(pixels, spec), tf.gather(labels, numbers)

    # One batch after another: Keras' random layers keep a state, parallel calls would race for it, and the seed would
    # mean nothing. Prefetching still does it beside the training step.
    return order.batch(batch_size).map(batch).prefetch(tf.data.AUTOTUNE)
