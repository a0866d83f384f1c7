"""Network architectures by name, one module a family.

A module gives `SUMMARY`, one line for people; `CHANNELS`, the numbers of channels that it takes, its own first;
`SMALLEST_INPUT`, pixels; `INPUT_SCALE` and `INPUT_OFFSET`, the pixel scaling that it wants (see `InputSpec`); and
`build(plan) -> keras.Model`, from [N, H, W, C] float32 to [N, classes] probabilities. `BACKBONE_END` names the last
layer of a backbone that takes weights and can be frozen. Everybody builds by `build` here, which checks the plan first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fer_edge.errors import UsageError
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
        dropout: Fraction of the features dropped in training, where the family drops any, 0..1.
        l2: Weight of the L2 penalty on kernels, for families that are not transferred.
        batch_norm: Batch normalization, for families that have it by choice.
    """

    input_size: int
    channels: int
    classes: int
    alpha: float = 1.0
    weights: str = "none"
    head: tuple[int, ...] = (128, 64)
    dropout: float = 0.0
    l2: float = 0.0
    batch_norm: bool = False


def build(name: str, plan: Plan) -> Any:
    """Build a network.

    Returns:
        A functional Keras model, [N, size, size, channels] float32 to [N, classes] probabilities.

    Raises:
        UsageError: The name is not known, or the plan cannot be built.
        FerError: Weights cannot be downloaded.
    """
    check(name, plan)
    return REGISTRY.load(name).build(plan)


def check(name: str, plan: Plan) -> None:
    """Find out whether a network can be built, but for what its weights say.

    Raises:
        UsageError: The name is not known, or the plan cannot be built.
    """
    module = REGISTRY.load(name)
    if plan.input_size < module.SMALLEST_INPUT:
        raise UsageError(f"{name} needs an input of at least {module.SMALLEST_INPUT} pixels, not {plan.input_size}")
    if plan.channels not in module.CHANNELS:
        raise UsageError(f"{name} takes {' or '.join(map(str, module.CHANNELS))} channels, not {plan.channels}")
    if plan.weights != "none" and not hasattr(module, "BACKBONE_END"):
        raise UsageError(f"{name} has no backbone to load weights into: leave out --weights")


def backbone_end(name: str) -> str:
    """Give the name of the last layer of an architecture's backbone.

    Raises:
        UsageError: It has none.
    """
    end: str | None = getattr(REGISTRY.load(name), "BACKBONE_END", None)
    if end is None:
        raise UsageError(f"{name} has no backbone to freeze: leave out --freeze-epochs")
    return end
