"""Random changes to training faces, on batches of [N, H, W, 1] float32 pixels of 0..255.

Mirror, light and noise are Keras' layers. Keras 2 has none that moves a face in one resampling, erases parts of it or
mixes two, so that is here.
"""

from __future__ import annotations

import math
from typing import Any

from fer_train.keras_setup import keras, tf

NOISE = 8.0
# Degrees, and fractions of the face's side.
_MOVES = {"light": (10, 0.1, 0.08), "standard": (15, 0.15, 0.1)}
_ERASED_SHARE = 0.5
_ERASED_AREA = (0.02, 0.2)
_ERASED_ASPECT = 3.0
_MIXUP_ALPHA = 0.2
_CUTMIX_ALPHA = 1.0


def layers(level: str, seed: int) -> Any:
    """Build the changes of mirror and light for a level.

    Args:
        level: "none"; "light": mirror; "standard" and "camera": mirror, 20 % brightness and 25 % contrast; "strong":
            the same and Gaussian noise with a deviation of 8.
        seed: Of the random numbers.

    Returns:
        A Keras model to be called with `training=True`, or None for "none".
    """
    if level == "none":
        return None
    changes = [keras.layers.RandomFlip("horizontal", seed=seed, dtype="float32")]
    if level in ("standard", "camera", "strong"):
        changes += [
            keras.layers.RandomBrightness(0.2, value_range=(0, 255), seed=seed + 1, dtype="float32"),
            keras.layers.RandomContrast(0.25, seed=seed + 2, dtype="float32"),
        ]
        if level == "strong":
            changes.append(keras.layers.GaussianNoise(NOISE, seed=seed + 3, dtype="float32"))
        # Contrast and noise push beyond what a camera gives.
        changes.append(keras.layers.Lambda(lambda pixels: tf.clip_by_value(pixels, 0.0, 255.0), dtype="float32"))
    return keras.Sequential(changes, name=f"augment_{level}")


def move(pixels: Any, level: str, seed: Any) -> Any:
    """Rotate, zoom and shift each face in one resampling; what comes in from outside repeats the border.

    Keras has a layer for each of the three, but one after the other blurs the face three times over, and the device
    never shows such faces.

    Args:
        pixels: [N, H, W, 1] float32.
        level: "light": up to 10 degrees, 10 % zoom and 8 % shift; the others: 15 degrees, 15 %, 10 %; "none": nothing.
        seed: [2] int64 tensor; equal seeds, equal moves.
    """
    if level == "none":
        return pixels
    degrees, zoom, shift = _MOVES["light" if level == "light" else "standard"]
    number, height, width = tf.shape(pixels)[0], pixels.shape[1], pixels.shape[2]
    draws = tf.random.stateless_uniform([4, number], seed, minval=-1.0)
    angle, size = draws[0] * math.radians(degrees), 1 + draws[1] * zoom
    cosine, sine = size * tf.cos(angle), size * tf.sin(angle)
    y, x = (height - 1) / 2, (width - 1) / 2
    # From a place in the result to the place in the face that it shows.
    down = y + draws[2] * shift * height - (sine * x + cosine * y)
    right = x + draws[3] * shift * width - (cosine * x - sine * y)
    zeros = tf.zeros_like(angle)
    transforms = tf.stack([cosine, -sine, right, sine, cosine, down, zeros, zeros], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=transforms,
        output_shape=[height, width],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def erase(pixels: Any, seed: Any) -> Any:
    """Replace a random rectangle in every second face by its mean grey (Zhong et al. 2020, arXiv:1708.04896).

    Args:
        pixels: [N, H, W, 1] float32.
        seed: [2] int64 tensor; equal seeds, equal rectangles.
    """
    number, height, width = (tf.shape(pixels)[axis] for axis in range(3))
    draws = tf.random.stateless_uniform([5, number], seed)
    area = _ERASED_AREA[0] + draws[0] * (_ERASED_AREA[1] - _ERASED_AREA[0])
    aspect = _ERASED_ASPECT ** (2 * draws[1] - 1)
    tall, wide = tf.sqrt(area * aspect), tf.sqrt(area / aspect)
    inside = _rectangles(draws[2] * (1 - tall) + tall / 2, draws[3] * (1 - wide) + wide / 2, tall, wide, height, width)
    inside &= (draws[4] < _ERASED_SHARE)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.where(inside, tf.reduce_mean(pixels, axis=(1, 2, 3), keepdims=True), pixels)


def mix(pixels: Any, targets: Any, seed: Any) -> tuple[Any, Any]:
    """Mix each face with another, and the targets in proportion.

    A batch is, by chance, blended (mixup, Zhang et al. 2018, arXiv:1710.09412) or has rectangles of other faces cut
    into its own (CutMix, Yun et al. 2019, arXiv:1905.04899).

    Args:
        pixels: [N, H, W, 1] float32.
        targets: [N, C] float32.
        seed: [2] int64 tensor.
    """
    number, height, width = (tf.shape(pixels)[axis] for axis in range(3))
    # The batch is in random order already: its reverse is a random partner for each.
    others, other_targets = pixels[::-1], targets[::-1]

    def blended() -> tuple[Any, Any]:
        kept = _beta(number, _MIXUP_ALPHA, seed)
        share = kept[:, tf.newaxis, tf.newaxis, tf.newaxis]
        return pixels * share + others * (1 - share), kept

    def cut() -> tuple[Any, Any]:
        side = tf.sqrt(1 - _beta(number, _CUTMIX_ALPHA, seed))
        middle = tf.random.stateless_uniform([2, number], seed + 1)
        inside = _rectangles(middle[0], middle[1], side, side, height, width)
        kept = 1 - tf.reduce_mean(tf.cast(inside, tf.float32), axis=(1, 2, 3))
        return tf.where(inside, others, pixels), kept

    mixed, kept = tf.cond(tf.random.stateless_uniform([], seed + 2) < 0.5, blended, cut)
    share = kept[:, tf.newaxis]
    return mixed, targets * share + other_targets * (1 - share)


def _beta(number: Any, alpha: float, seed: Any) -> Any:
    gamma = tf.random.stateless_gamma([2, number], seed + 3, alpha)
    # Both can round to zero where alpha is small.
    return tf.math.divide_no_nan(gamma[0], gamma[0] + gamma[1])


def _rectangles(y: Any, x: Any, tall: Any, wide: Any, height: Any, width: Any) -> Any:
    """Give [N, height, width, 1] bool: inside the rectangles of given middles and sides [N], fractions of a face."""
    rows = (tf.cast(tf.range(height), tf.float32) + 0.5) / tf.cast(height, tf.float32)
    columns = (tf.cast(tf.range(width), tf.float32) + 0.5) / tf.cast(width, tf.float32)
    across = tf.abs(rows[tf.newaxis, :] - y[:, tf.newaxis]) < tall[:, tf.newaxis] / 2
    along = tf.abs(columns[tf.newaxis, :] - x[:, tf.newaxis]) < wide[:, tf.newaxis] / 2
    return (across[:, :, tf.newaxis] & along[:, tf.newaxis, :])[..., tf.newaxis]
