"""A foreign model made a parent: checked against what its owner tells, with faces to calibrate on and to judge by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fer_convert import calibration, parent
from fer_convert.foreign import Foreign, reason
from fer_convert.loading import Loaded, with_softmax
from fer_convert.parent import Parent
from fer_edge.errors import ModelError, UsageError
from fer_train import samples
from fer_train.datasets import Dataset
from fer_train.keras_setup import tf
from fer_train.settings import FitSettings

# Faces that show whether a model gives probabilities.
_TRIED = 64
# How far from 1 the sum of a float32 softmax may be, with room to spare.
_ROUNDING = 1e-3


def adopt(foreign: Foreign, loaded: Loaded, data: Dataset, size: int | None = None) -> Parent:
    """Make a parent of a model that fer-train did not make.

    Args:
        foreign: What its owner tells.
        loaded: The model.
        data: Labelled faces: of "train" to calibrate with, of "public" or "test" to judge by, none in both.
        size: Number of calibration faces; `samples.CALIBRATION_SIZE`, or all there are, without it.

    Raises:
        UsageError: Labels, scaling or `logits` do not fit the model, or there are too few faces.
        ModelError: The model fails on faces.
        DataError: There is no split to judge by.
        FerError: The model gives numbers that are not finite.
    """
    if loaded.classes != len(foreign.labels):
        raise UsageError(
            f"{foreign.path} gives {loaded.classes} numbers, --labels names {len(foreign.labels)}: "
            f"{', '.join(foreign.labels)}"
        )
    spec, split = foreign.input(*loaded.shape, data.face_size()), data.selection_split()
    settings = FitSettings(data=data.name, arch=loaded.architecture, channels=spec.channels)
    train, held_out = data.split("train"), samples.draw(data.split(split), samples.HELD_OUT_SIZE, settings.seed)
    few = held_out.take(np.arange(min(_TRIED, len(held_out))))
    try:
        _check(foreign, parent.answers(loaded.model, few, spec, foreign.path))
    except (tf.errors.OpError, ValueError) as error:
        raise ModelError(f"{foreign.path} does not take faces: {reason(error)}; export it again") from error
    chosen = min(samples.CALIBRATION_SIZE, len(train)) if size is None else size
    return Parent(
        name=foreign.name,
        path=foreign.path,
        model=with_softmax(loaded.model) if foreign.logits else loaded.model,
        labels=foreign.labels,
        input=spec,
        parameters=int(loaded.model.count_params()),
        origin=parent.origin(
            f"foreign {loaded.kind} {foreign.path.resolve().name}",
            loaded.architecture,
            f"unknown; calibrated and judged on {data.name}",
            data.fingerprint(),
        ),
        settings=settings,
        calibration=calibration.draw(train, foreign.labels, chosen, data=data.name, seed=settings.seed),
        held_out=held_out,
        split=split,
    )


def _check(foreign: Foreign, given: npt.NDArray[np.float32]) -> None:
    """Hold what a model gives, [N, labels], to what its owner tells of its end."""
    sums = given.sum(axis=1)
    probabilities = bool(given.min() >= 0 and np.abs(sums - 1).max() < _ROUNDING)
    if probabilities and foreign.logits:
        raise UsageError(f"{foreign.path} gives probabilities already: leave out --logits")
    if not probabilities and not foreign.logits:
        raise UsageError(
            f"{foreign.path} gives no probabilities: numbers of {given.min():.3g} to {given.max():.3g} that sum to "
            f"{sums.min():.3g} to {sums.max():.3g}; if it ends before the softmax, say so with --logits"
        )
