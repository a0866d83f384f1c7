"""What cheap cameras do to faces, as augmentation: blur, few pixels, little light, noise, JPEG.

The kinds are those of Hendrycks & Dietterich (2019, arXiv:1903.12261), as strong as they still leave an expression in
48 pixels. Faces that a detector cuts out askew are in `augmentation.move`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_train.keras_setup import tf

# Shares of the faces, each drawn for itself: two in five come through unchanged.
_BLURRED = _COARSE = _DARK = 0.15
_NOISY = 0.2
# One in so many of a batch, whose order is random, and at least one. A codec takes one face at a time.
_COMPRESSED = 6
_QUALITY = (10, 60)
# Fraction of the face's side that is left.
_DETAIL = 0.5
# What is left of the light, and its gamma.
_LIGHT, _GAMMA = (0.15, 0.6), (1.0, 2.0)
# Deviations: in the dark, and what the light itself adds as a multiple of its square root.
_READ, _SHOT = (3.0, 18.0), 0.8
_RADIUS = 3


def corrupt(pixels: Any, side: int, seed: Any) -> Any:
    """Corrupt some faces, others not.

    Args:
        pixels: [N, H, W, 1] float32 of 0..255.
        side: Rows and columns that the faces had before they were made as large as they are; cameras spoil those.
        seed: [2] int64 tensor; equal seeds, equal changes.

    Returns:
        [N, H, W, 1] float32 of 0..255.
    """
    small = pixels if pixels.shape[1] <= side else tf.image.resize(pixels, [side, side], "area")
    number = tf.shape(pixels)[0]
    draws = tf.random.stateless_uniform([4, number], seed)
    blurred, coarse, dark, noisy = (
        (draw < share)[:, tf.newaxis, tf.newaxis, tf.newaxis]
        for draw, share in zip(tf.unstack(draws), (_BLURRED, _COARSE, _DARK, _NOISY), strict=True)
    )
    spoilt = tf.where(blurred, _blur(small, seed + 1), small)
    spoilt = tf.where(coarse, _fewer(spoilt), spoilt)
    spoilt = tf.where(dark, _darken(spoilt, seed + 2), spoilt)
    # In the dark a camera's own noise is what is seen.
    spoilt = tf.where(noisy | dark, _noise(spoilt, seed + 3), spoilt)
    whole = number - tf.maximum(1, number // _COMPRESSED)
    spoilt = tf.concat([spoilt[:whole], _compress(spoilt[whole:], seed + 4)], axis=0)
    if pixels.shape[1] > side:
        spoilt = tf.image.resize(spoilt, pixels.shape[1:3])
    compressed = (tf.range(number) >= whole)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    return tf.where(blurred | coarse | dark | noisy | compressed, spoilt, pixels)


def _blur(pixels: Any, seed: Any) -> Any:
    kernels = _kernels()
    border = [[0, 0], [_RADIUS, _RADIUS], [_RADIUS, _RADIUS], [0, 0]]
    all_ways = tf.nn.conv2d(tf.pad(pixels, border, "SYMMETRIC"), kernels, 1, "VALID")
    number = kernels.shape[-1]
    way = tf.random.stateless_uniform([tf.shape(pixels)[0]], seed, maxval=number, dtype=tf.int32)
    return tf.reduce_sum(all_ways * tf.one_hot(way, number)[:, tf.newaxis, tf.newaxis], axis=-1, keepdims=True)


def _kernels() -> npt.NDArray[np.float32]:
    """Give [7, 7, 1, K] float32: out of focus a little and more, and moved in four directions."""
    y, x = np.mgrid[-_RADIUS : _RADIUS + 1, -_RADIUS : _RADIUS + 1]
    kinds = [np.exp(-(y**2 + x**2) / (2 * deviation**2)) for deviation in (0.8, 1.3)]
    kinds.append((y**2 + x**2 <= 2**2).astype(float))
    near = np.maximum(abs(y), abs(x)) <= 2
    kinds += [((y * down == x * right) & near).astype(float) for down, right in ((0, 1), (1, 0), (1, 1), (1, -1))]
    return np.stack([kind / kind.sum() for kind in kinds], axis=-1)[:, :, np.newaxis].astype(np.float32)


def _fewer(pixels: Any) -> Any:
    height, width = pixels.shape[1:3]
    few = tf.image.resize(pixels, [math.ceil(height * _DETAIL), math.ceil(width * _DETAIL)], "area")
    return tf.image.resize(few, [height, width])


def _darken(pixels: Any, seed: Any) -> Any:
    draws = tf.random.stateless_uniform([2, tf.shape(pixels)[0], 1, 1, 1], seed)
    gain, gamma = _between(draws[0], _LIGHT), _between(draws[1], _GAMMA)
    return 255 * gain * (pixels / 255) ** gamma


def _noise(pixels: Any, seed: Any) -> Any:
    draws = tf.random.stateless_uniform([2, tf.shape(pixels)[0], 1, 1, 1], seed)
    deviation = tf.sqrt(_between(draws[0], _READ) ** 2 + (draws[1] * _SHOT) ** 2 * pixels)
    noisy = pixels + deviation * tf.random.stateless_normal(tf.shape(pixels), seed + 5)
    return tf.clip_by_value(noisy, 0.0, 255.0)


def _compress(pixels: Any, seed: Any) -> Any:
    low, high = _QUALITY
    qualities = tf.random.stateless_uniform([tf.shape(pixels)[0]], seed, low, high + 1, tf.int32)

    def one(face_and_quality: tuple[Any, Any]) -> Any:
        face, quality = face_and_quality
        written = tf.image.adjust_jpeg_quality(tf.cast(tf.round(face), tf.uint8), quality)
        return tf.ensure_shape(tf.cast(written, tf.float32), pixels.shape[1:])

    return tf.map_fn(one, (pixels, qualities), fn_output_signature=tf.float32)


def _between(draws: Any, ends: tuple[float, float]) -> Any:
    return ends[0] + draws * (ends[1] - ends[0])
