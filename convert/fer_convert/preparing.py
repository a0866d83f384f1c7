"""What happens to a float model before TensorFlow converts it: pruning, quantization-aware training, correction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import msgspec

from fer_convert import bias_correction, pruning, qat
from fer_convert.parent import Parent
from fer_convert.parity import Steps
from fer_convert.recipes import Recipe, Sparsity
from fer_convert.tuning import Lesson, Tuning
from fer_edge import preprocessing
from fer_edge.errors import UsageError
from fer_train import distilling
from fer_train.datasets import Dataset


@dataclass(frozen=True)
class Shrinking:
    """How to fine-tune, and on what.

    Attributes:
        data: What the parent was trained on; for a foreign model, labelled faces.
        qat: Of recipes with quantization in the loop.
        pruning: Of pruned recipes.
        teachers: Paths of runs; the float model itself where there is none.
    """

    data: Dataset
    qat: Tuning
    pruning: Tuning
    teachers: tuple[str, ...] = ()


class Prepared:
    """The models that recipes start from, each made when it is first asked for."""

    def __init__(
        self,
        parent: Parent,
        calibration: preprocessing.Pixels,
        shrinking: Shrinking | None,
        say: Callable[[str], None],
        bar: bool,
    ) -> None:
        """Take the float model.

        Args:
            parent: The float model.
            calibration: [N, H, W] uint8 fitted training faces.
            shrinking: For recipes that train.
            say: Takes a line an epoch of fine-tuning.
            bar: Whether Keras shows a bar of its steps.
        """
        self._parent, self._calibration, self._shrinking = parent, calibration, shrinking
        self._say, self._bar = say, bar
        self._made = cache(self._make)

    def check(self, recipes: Sequence[Recipe]) -> None:
        """Refuse, before any work, recipes that train where that cannot be.

        Raises:
            UsageError: The model cannot be trained, there is nothing to train on, or a teacher does not fit.
        """
        if any(recipe.tuned for recipe in recipes):
            distilling.runs(self._ready().teachers, self._parent.labels)

    def model(self, recipe: Recipe) -> tuple[Any, Steps]:
        """Give the model to convert by a recipe, and what was done to it.

        Raises:
            UsageError: The recipe trains, and the model cannot be trained or there is nothing to train on.
            FerError: A fine-tuning failed.
        """
        steps = Steps(calibration=self._parent.calibration.info if recipe.calibrated else None)
        if recipe.tuned:
            shrinking = self._ready()
            steps = msgspec.structs.replace(
                steps,
                pruning=_settings(recipe.sparsity, shrinking.pruning) if recipe.sparsity else None,
                qat=msgspec.structs.asdict(shrinking.qat) if recipe.trained else None,
                teachers=shrinking.teachers or (str(self._parent.path),),
            )
        # What was trained while rounded has made up for the rounding itself; the recipe "dynamic" leaves the small
        # kernels whole, which rounding hurts most.
        correct = recipe.calibrated and not recipe.trained and self._parent.tunable
        return self._made(recipe.sparsity, recipe.trained, correct), steps

    def _make(self, sparsity: Sparsity | None, trained: bool, correct: bool) -> Any:
        if correct:
            inputs = preprocessing.to_input(self._calibration, self._parent.input)
            return bias_correction.corrected(self._made(sparsity, trained, False), inputs)
        if trained:
            start = self._made(sparsity, False, True)
            tuning = self._ready().qat
            return qat.fine_tune(start, self._calibration, tuning, self._lesson("qat"), pruned=sparsity is not None)
        if sparsity is not None:
            return pruning.prune(self._parent.model, sparsity, self._ready().pruning, self._lesson(sparsity.name))
        return self._parent.model

    def _lesson(self, what: str) -> Lesson:
        shrinking = self._ready()
        return Lesson(
            self._parent, shrinking.data, shrinking.teachers, lambda line: self._say(f"{what}: {line}"), self._bar
        )

    def _ready(self) -> Shrinking:
        if not self._parent.tunable:
            raise UsageError(
                f"{self._parent.path} is no Keras 2 model, and only such a one can be fine-tuned: leave out the "
                "recipes that train, or save it by Keras 2 (tf-keras)"
            )
        if self._shrinking is None:
            raise UsageError("--qat and --prune train: give them the data with --data")
        return self._shrinking


def _settings(sparsity: Sparsity, tuning: Tuning) -> dict[str, Any]:
    return asdict(sparsity) | msgspec.structs.asdict(tuning)
