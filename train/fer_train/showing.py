"""Faces for the pictures of a data report."""

from __future__ import annotations

from fer_edge.metadata import InputSpec
from fer_edge.preprocessing import Pixels
from fer_train import pipeline
from fer_train.datasets import Dataset, Split
from fer_train.keras_setup import tf
from fer_train.samples import draw
from fer_train.settings import AUGMENTATIONS, FitSettings


def samples(data: Dataset, number: int, seed: int) -> dict[str, list[Pixels]]:
    """Draw training faces of each expression."""
    train = data.split("train")
    return {label: _drawn(train, number, seed, own=number_of) for number_of, label in enumerate(data.labels)}


def augmentations(data: Dataset, number: int, seed: int) -> dict[str, list[Pixels]]:
    """Show the same training faces under each level of augmentation: what `pipeline.training` gives."""
    chosen = draw(data.split("train"), number, seed)
    side = max(data.face_size(), 8)
    spec = InputSpec(height=side, width=side, channels=1, color="gray", scale=1.0, offset=0.0)
    return {level: _changed(chosen, spec, level, len(data.labels), number, seed) for level in AUGMENTATIONS}


def _drawn(train: Split, number: int, seed: int, own: int) -> list[Pixels]:
    mine = train.take((train.labels == own).nonzero()[0])
    return list(draw(mine, number, seed).faces)


def _changed(split: Split, spec: InputSpec, level: str, classes: int, number: int, seed: int) -> list[Pixels]:
    settings = FitSettings(data="", arch="", augment=level, batch_size=len(split), seed=seed)
    ((pixels, *_),) = pipeline.training(split, spec, settings, classes, epochs=range(1))
    return list(tf.cast(pixels[:number, :, :, 0], tf.uint8).numpy())
