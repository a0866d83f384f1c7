"""Pieces that several families share."""

from __future__ import annotations

from typing import Any

from fer_train.architectures import Plan
from fer_train.keras_setup import keras


def regularizer(plan: Plan) -> Any:
    """Give the plan's L2 penalty, None where it is 0."""
    return keras.regularizers.L2(plan.l2) if plan.l2 else None


def drop(x: Any, rate: float) -> Any:
    """Add dropout, nothing where the rate is 0."""
    return keras.layers.Dropout(rate)(x) if rate else x


def conv(x: Any, filters: int, plan: Plan, *, batch_norm: bool, activation: str = "relu") -> Any:
    """Add a 3 x 3 convolution, batch normalization where asked, and an activation."""
    x = keras.layers.Conv2D(filters, 3, padding="same", kernel_regularizer=regularizer(plan))(x)
    if batch_norm:
        x = keras.layers.BatchNormalization()(x)
    return keras.layers.Activation(activation)(x)


def dense(x: Any, units: int, plan: Plan, *, batch_norm: bool = False, activation: str = "relu") -> Any:
    """Add a dense layer, batch normalization where asked, an activation, and the plan's dropout."""
    x = keras.layers.Dense(units, kernel_regularizer=regularizer(plan))(x)
    if batch_norm:
        x = keras.layers.BatchNormalization()(x)
    return drop(keras.layers.Activation(activation)(x), plan.dropout)


def finish(inputs: Any, features: Any, plan: Plan, name: str) -> Any:
    """Add the scores and the softmax, in float32 under every policy of precision, and make the model."""
    scores = keras.layers.Dense(plan.classes, name="scores", dtype="float32")(features)
    return keras.Model(inputs, keras.layers.Softmax(name="probabilities", dtype="float32")(scores), name=name)
