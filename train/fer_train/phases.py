"""The phases of a training: one, or two where a backbone stands still first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fer_edge.errors import UsageError
from fer_train import architectures
from fer_train.settings import FitSettings


@dataclass(frozen=True)
class Phase:
    """Some epochs with one optimizer.

    Attributes:
        epochs: Their numbers, from 0.
        learning_rate: Where the schedule starts, or what its warm-up leads to.
        trained_from: The first layer of the backbone that is trained, by its index in the model; None for all layers.
        backbone: Number of layers of the backbone.
    """

    epochs: range
    learning_rate: float
    trained_from: int | None = None
    backbone: int = 0

    def apply(self, model: Any) -> None:
        """Let the layers of the phase be trained, and no others."""
        for number, layer in enumerate(model.layers):
            layer.trainable = self.trained_from is None or number >= min(self.trained_from, self.backbone)


def plan(settings: FitSettings, model: Any) -> tuple[Phase, ...]:
    """Give the phases of a training.

    Raises:
        UsageError: There is no backbone to freeze, no such block in it, or no epoch left for the second phase.
    """
    if not settings.freeze_epochs:
        if settings.fine_tune_from or settings.fine_tune_learning_rate:
            raise UsageError("--fine-tune-from and --fine-tune-learning-rate need --freeze-epochs: a phase before")
        return (Phase(range(settings.epochs), settings.learning_rate),)
    if settings.freeze_epochs > settings.epochs:
        raise UsageError(f"--freeze-epochs {settings.freeze_epochs} are more than --epochs {settings.epochs}")
    if settings.freeze_epochs == settings.epochs and (settings.fine_tune_from or settings.fine_tune_learning_rate):
        raise UsageError(
            f"--freeze-epochs {settings.freeze_epochs} leave none of --epochs {settings.epochs} to fine-tune in"
        )
    end = architectures.backbone_end(settings.arch)
    names = [layer.name for layer in model.layers]
    backbone = names.index(end) + 1
    first = 0
    if settings.fine_tune_from:
        found = [number for number, name in enumerate(names[:backbone]) if name.startswith(settings.fine_tune_from)]
        if not found:
            known = ", ".join(_blocks(names[:backbone]))
            raise UsageError(f"{settings.arch} has no block {settings.fine_tune_from!r}; it has {known}")
        first = found[0]
    frozen = Phase(range(settings.freeze_epochs), settings.learning_rate, backbone, backbone)
    rest = range(settings.freeze_epochs, settings.epochs)
    rate = settings.fine_tune_learning_rate or settings.learning_rate
    return (frozen, Phase(rest, rate, first, backbone)) if rest else (frozen,)


def _blocks(names: list[str]) -> list[str]:
    """Give what layers of blocks are called before the part that says which layer: `block_13`, `conv4_block2`."""
    found = ("_".join(part for part in name.split("_")[:2]) for name in names if "block" in name)
    return list(dict.fromkeys(found))
