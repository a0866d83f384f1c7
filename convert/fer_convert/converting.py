"""One conversion, from run folder to verified file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fer_convert import converter, flatbuffer, parity, qat
from fer_convert.recipes import MAX_DROP, Recipe
from fer_edge import evaluation, files, preprocessing
from fer_edge.classifier import Classifier
from fer_edge.errors import FerError, UsageError
from fer_edge.metadata import ModelMetadata, Origin, attach
from fer_train import pipeline
from fer_train.datasets import Dataset
from fer_train.run_folder import RunFolder

_PACKAGES = ("fer-edge", "tensorflow", "tf-keras")


@dataclass(frozen=True)
class Wanted:
    """What to make of a run.

    Attributes:
        recipes: In the order wanted.
        out: Folder for `NAME-RECIPE.tflite` and `NAME-RECIPE.json`; made where it is missing.
        ends: Type of input and output of integer recipes, of `recipes.ENDS`.
        max_drop: Points of accuracy that a file may lose against the float model.
        force: Whether files that are there already are replaced.
        tuning: The run's data, and how to fine-tune on it; for recipes that train.
    """

    recipes: Sequence[Recipe]
    out: Path
    ends: str = "int8"
    max_drop: float = MAX_DROP
    force: bool = False
    tuning: tuple[Dataset, qat.QatSettings] | None = None

    def path(self, run: RunFolder, recipe: Recipe) -> Path:
        """Give the path of a file to write."""
        return self.out / f"{run.name}-{recipe.name}.tflite"


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


def check(run: RunFolder, wanted: Wanted) -> None:
    """Refuse to replace files that are there, before any work.

    Raises:
        UsageError: One is there, and `force` is not given.
    """
    for recipe in wanted.recipes:
        path = wanted.path(run, recipe)
        if not wanted.force and files.kind(path) != "nothing":
            raise UsageError(f"{path} is there already: replace it with --force, or choose another --out")


def convert_run(
    run: RunFolder, wanted: Wanted, *, say: Callable[[str], None] = lambda _line: None, bar: bool = False
) -> list[Converted]:
    """Convert a run by each recipe, compare each file with the float model, and write what is within the budget.

    Args:
        run: The training.
        wanted: What to make.
        say: Takes a line an epoch of fine-tuning.
        bar: Whether Keras shows a bar of its steps.

    Raises:
        UsageError: A file is there already.
        FerError: The run or the model cannot be read, the converter refuses, or the folder cannot be written.
    """
    check(run, wanted)
    model, held_out, info = run.model(), run.held_out(), run.info
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise FerError(f"{run.path} has weights that are not finite: train again")
    calibration = pipeline.fitted(run.calibration(), info.input)
    faces = pipeline.fitted(held_out, info.input)
    parent = model.predict(preprocessing.to_input(faces, info.input), batch_size=64, verbose=0)
    done = []
    for recipe in wanted.recipes:
        tuned = wanted.tuning if recipe.trained else None
        source = model if tuned is None else qat.fine_tune(model, info, calibration, *tuned, say=say, bar=bar)
        content = converter.convert(source, recipe, calibration, info.input, ends=wanted.ends)
        done.append(_verify(run, recipe, wanted, content, parent, tuned))
    return done


def _verify(
    run: RunFolder,
    recipe: Recipe,
    wanted: Wanted,
    model: bytes,
    parent: npt.NDArray[np.float32],
    tuned: tuple[Any, qat.QatSettings] | None,
) -> Converted:
    """Judge a flatbuffer as the device would run it, and write it with its report if it is within the budget."""
    info, held_out = run.info, run.held_out()
    metadata = _describe(run, recipe, model)
    classifier = Classifier(model, metadata)
    child = evaluation.predict(classifier, held_out.faces)
    measured = evaluation.accuracy(info.accuracy.split, child.argmax(axis=1), held_out.labels)
    content = attach(model, msgspec.structs.replace(metadata, accuracy=measured))
    report = parity.compare(
        info.accuracy.split,
        parent,
        child,
        held_out.labels,
        content=content,
        name=metadata.name,
        recipe=recipe.name,
        parameters=info.parameters,
        runtime=f"{classifier.interpreter.runtime.name} {classifier.interpreter.runtime.version}",
        labels=info.labels,
        tensors=flatbuffer.tensors(model),
        qat=None if tuned is None else msgspec.structs.asdict(tuned[1]),
    )
    path, kept = wanted.path(run, recipe), report.drop <= wanted.max_drop
    if kept:
        # Both are written before either gets its name.
        with files.replacing(path) as model_file, files.replacing(path.with_suffix(".json")) as report_file:
            model_file.write_bytes(content)
            report_file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return Converted(path, report, kept)


def _describe(run: RunFolder, recipe: Recipe, model: bytes) -> ModelMetadata:
    info, minimum_runtime = run.info, flatbuffer.minimum_runtime(model)
    if minimum_runtime is None:
        raise FerError("the converter wrote no min_runtime_version into the model")
    return ModelMetadata(
        name=f"{run.name}-{recipe.name}",
        recipe=recipe.name,
        labels=info.labels,
        input=info.input,
        parameters=info.parameters,
        minimum_runtime=minimum_runtime,
        origin=Origin(
            run=run.name,
            architecture=info.settings.arch,
            data=info.data.name,
            data_sha256=info.data.sha256,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            versions={name: importlib.metadata.version(name) for name in _PACKAGES},
        ),
    )
