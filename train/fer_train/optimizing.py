"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

from typing import Any

from fer_train.keras_setup import keras
from fer_train.settings import FitSettings

_MOMENTUM = 0.9


def optimizer(settings: FitSettings, steps: int, epochs: int, learning_rate: float) -> Any:
    """Build an optimizer.

    Args:
        settings: Optimizer, weight decay and schedule are taken from here.
        steps: Batches of an epoch.
        epochs: Length of the schedule.
        learning_rate: Where the schedule starts, or what its warm-up leads to.
    """
    rate = _schedule(settings, steps, epochs, learning_rate)
    if settings.optimizer == "sgd":
        decay = settings.weight_decay or None
        return keras.optimizers.SGD(rate, momentum=_MOMENTUM, nesterov=True, weight_decay=decay)
    if settings.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay)
    return keras.optimizers.Adam(rate)


def _schedule(settings: FitSettings, steps: int, epochs: int, learning_rate: float) -> Any:
    if settings.schedule == "step":
        return keras.optimizers.schedules.ExponentialDecay(
            learning_rate, decay_steps=steps * settings.decay_every, decay_rate=settings.decay, staircase=True
        )
    if settings.schedule == "cosine":
        warm_up = steps * min(settings.warm_up, epochs - 1)
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warm_up else learning_rate,
            decay_steps=steps * epochs - warm_up,
            warmup_target=learning_rate if warm_up else None,
            warmup_steps=warm_up,
        )
    # "plateau" starts like "constant"; a callback lowers it.
    return learning_rate
