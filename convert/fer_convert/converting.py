"""One conversion, from float model to verified file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from fer_convert import converter, flatbuffer, parity, releases, tflite_metadata
from fer_convert.parent import Parent
from fer_convert.parity import Steps
from fer_convert.preparing import Prepared, Shrinking
from fer_convert.recipes import MAX_DROP, Recipe
from fer_edge import evaluation, files, verifying
from fer_edge.classifier import Classifier
from fer_edge.errors import FerError, UsageError
from fer_edge.metadata import ModelMetadata, attach
from fer_train import pipeline


@dataclass(frozen=True)
class Wanted:
    """What to make of a model.

    Attributes:
        recipes: In the order wanted.
        out: Folder for `NAME-RECIPE.tflite` and `NAME-RECIPE.json`; made where it is missing.
        ends: Type of input and output of integer recipes, of `recipes.ENDS`.
        max_drop: Points of accuracy that a file may lose against the float model.
        force: Whether files that are there already are replaced.
        shrinking: How to fine-tune, and on what; for recipes that train.
    """

    recipes: Sequence[Recipe]
    out: Path
    ends: str = "int8"
    max_drop: float = MAX_DROP
    force: bool = False
    shrinking: Shrinking | None = None

    def path(self, name: str, recipe: Recipe) -> Path:
        """Give the path of a file to write."""
        return self.out / f"{name}-{recipe.name}.tflite"


@dataclass(frozen=True)
class Converted:
    """A conversion.

    Attributes:
        path: The `.tflite`; not there where it lost too much.
        report: What stands beside it as `.json`.
        kept: Whether it is within the budget, and so was written.
    """

    path: Path
    report: parity.Report
    kept: bool


def check(name: str, wanted: Wanted) -> None:
    """Refuse to replace files that are there, before any work.

    Raises:
        UsageError: One is there, and `force` is not given.
    """
    for recipe in wanted.recipes:
        path = wanted.path(name, recipe)
        if not wanted.force and files.kind(path) != "nothing":
            raise UsageError(f"{path} is there already: replace it with --force, or choose another --out")


def convert_model(
    parent: Parent, wanted: Wanted, *, say: Callable[[str], None] = lambda _line: None, bar: bool = False
) -> list[Converted]:
    """Convert a model by each recipe, compare each file with it, and write what is within the budget.

    Args:
        parent: The float model.
        wanted: What to make.
        say: Takes a line an epoch of fine-tuning.
        bar: Whether Keras shows a bar of its steps.

    Raises:
        UsageError: A file is there already.
        FerError: The model cannot be used, its faces say nothing, the converter refuses, or the folder cannot be
            written.
    """
    check(parent.name, wanted)
    if any(recipe.calibrated for recipe in wanted.recipes):
        parent.calibration.check()
    calibration = pipeline.fitted(parent.calibration.faces, parent.input)
    prepared = Prepared(parent, calibration, wanted.shrinking, say, bar)
    prepared.check(wanted.recipes)
    said = parent.probabilities()
    done = []
    for recipe in wanted.recipes:
        model, steps = prepared.model(recipe)
        log = wanted.path(parent.name, recipe).with_suffix(".log")
        content = converter.convert(model, recipe, calibration, parent.input, ends=wanted.ends, log=log)
        done.append(_verify(parent, recipe, wanted, content, said, steps))
    return done


def _verify(
    parent: Parent,
    recipe: Recipe,
    wanted: Wanted,
    model: bytes,
    said: npt.NDArray[np.float32],
    steps: Steps,
) -> Converted:
    """Judge a flatbuffer as the device would run it, and write it with its report if it is within the budget."""
    metadata = _describe(parent, recipe, model)
    model = tflite_metadata.add(model, metadata)
    classifier = Classifier(model, metadata)
    child = evaluation.predict(classifier, parent.held_out.faces)
    measured = evaluation.accuracy(parent.split, child.argmax(axis=1), parent.held_out.labels)
    test = verifying.make(model, metadata, verifying.TOLERANCES[recipe.rounding])
    content = attach(model, msgspec.structs.replace(metadata, accuracy=measured, self_test=test))
    report = parity.compare(
        parent.split,
        said,
        child,
        parent.held_out.labels,
        content=content,
        metadata=metadata,
        runtime=f"{classifier.interpreter.runtime.name} {classifier.interpreter.runtime.version}",
        tensors=flatbuffer.tensors(model),
        steps=steps,
    )
    path, kept = wanted.path(parent.name, recipe), report.drop <= wanted.max_drop
    if kept:
        # Both are written before either gets its name.
        with files.replacing(path) as model_file:
            model_file.write_bytes(content)
            told = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
            files.write_bytes(path.with_suffix(".json"), told)
            path.with_suffix(".log").unlink(missing_ok=True)  # of a failure before
    return Converted(path, report, kept)


def _describe(parent: Parent, recipe: Recipe, model: bytes) -> ModelMetadata:
    minimum_runtime = releases.minimum(model)
    if minimum_runtime is None:
        raise FerError("the converter wrote no min_runtime_version into the model")
    return ModelMetadata(
        name=f"{parent.name}-{recipe.name}",
        recipe=recipe.name,
        labels=parent.labels,
        input=parent.input,
        parameters=parent.parameters,
        minimum_runtime=minimum_runtime,
        origin=parent.origin,
    )
