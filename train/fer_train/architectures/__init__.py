"""Network architectures by name, one module a family.

A module gives `INPUT_SCALE` and `INPUT_OFFSET`, the pixel scaling that it wants (see `InputSpec`), and
`build(plan) -> keras.Model`, from [N, H, W, C] float32 to [N, classes] probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass

from fer_edge.registry import Registry

REGISTRY = Registry(__name__, "architecture")


@dataclass(frozen=True)
class Plan:
    """What a network is built to.

    Attributes:
        input_size: Rows and columns of the input, pixels.
        channels: 1 or 3.
        classes: Number of expressions.
        alpha: Width multiplier, 1.0 as published; for families that have one.
        weights: "imagenet" (downloaded by Keras), "none", or the path of an `.h5` file for the backbone.
        head: Units of the dense ReLU layers between backbone and softmax.
        dropout: Fraction of the features dropped before the head in training, 0..1.
    """

    input_size: int
    channels: int
    classes: int
    alpha: float = 1.0
    weights: str = "none"
    head: tuple[int, ...] = (128, 64)
    dropout: float = 0.0
