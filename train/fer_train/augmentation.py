"""Random changes to training faces, as Keras layers on [N, H, W, 1] float32 pixels of 0..255."""

from __future__ import annotations

from typing import Any

from fer_train.keras_setup import keras, tf


def layers(level: str, seed: int) -> Any:
    """Build the augmentation of a level.

    Args:
        level: "none"; "light": mirror, and up to 10 degrees, 10 % zoom and 8 % shift, the border repeated; "standard":
            mirror, and up to 15 degrees, 15 % zoom, 10 % shift, 20 % brightness and 25 % contrast.
        seed: Of the random numbers.

    Returns:
        A Keras model to be called with `training=True`, or None for "none".
    """
    if level == "none":
        return None
    geometry: dict[str, Any] = {"fill_mode": "nearest", "interpolation": "bilinear"}
    degrees, zoom, shift = (10, 0.1, 0.08) if level == "light" else (15, 0.15, 0.1)
    changes = [
        keras.layers.RandomFlip("horizontal", seed=seed),
        keras.layers.RandomRotation(degrees / 360, seed=seed + 1, **geometry),
        keras.layers.RandomZoom(zoom, seed=seed + 2, **geometry),
        keras.layers.RandomTranslation(shift, shift, seed=seed + 3, **geometry),
    ]
    if level == "standard":
        changes += [
            keras.layers.RandomBrightness(0.2, value_range=(0, 255), seed=seed + 4),
            keras.layers.RandomContrast(0.25, seed=seed + 5),
            # Contrast pushes beyond what a camera gives.
            keras.layers.Lambda(lambda pixels: tf.clip_by_value(pixels, 0.0, 255.0)),
        ]
    return keras.Sequential(changes, name=f"augment_{level}")
