"""Random changes to training faces, as Keras layers on [N, H, W, 1] float32 pixels of 0..255."""

from __future__ import annotations

from typing import Any

from fer_train.keras_setup import keras

LEVELS = ("none", "light")


def layers(level: str, seed: int) -> Any:
    """Build the augmentation of a level.

    Args:
        level: "none"; or "light": mirror, and up to 10 degrees, 10 % zoom and 8 % shift, the border repeated.
        seed: Of the random numbers.

    Returns:
        A Keras model to be called with `training=True`, or None for "none".
    """
    if level == "none":
        return None
    geometry: dict[str, Any] = {"fill_mode": "nearest", "interpolation": "bilinear"}
    return keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal", seed=seed),
            keras.layers.RandomRotation(10 / 360, seed=seed + 1, **geometry),
            keras.layers.RandomZoom(0.1, seed=seed + 2, **geometry),
            keras.layers.RandomTranslation(0.08, 0.08, seed=seed + 3, **geometry),
        ],
        name=f"augment_{level}",
    )
