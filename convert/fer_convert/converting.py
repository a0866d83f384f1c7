"""One conversion, from run folder to verified file."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from fer_convert import parity, qat, recipes
from fer_edge import evaluation, files, preprocessing
from fer_edge.classifier import Classifier
from fer_edge.metadata import ModelMetadata, Origin, attach
from fer_train import pipeline
from fer_train.datasets import Dataset
from fer_train.run_folder import RunFolder

_PACKAGES = ("fer-edge", "tensorflow", "tf-keras")


@dataclass(frozen=True)
class Converted:
    """A file that was written.

    Attributes:
        path: The `.tflite`.
        report: What stands beside it as `.json`.
    """

    path: Path
    report: parity.Report


def convert_run(
    run: RunFolder,
    chosen: Sequence[recipes.Recipe],
    out: Path,
    *,
    tuning: tuple[Dataset, qat.QatSettings] | None = None,
    say: Callable[[str], None] = lambda _line: None,
    bar: bool = False,
) -> list[Converted]:
    """Convert a run by each recipe, compare each file with the float model, and write it.

    Args:
        run: The training.
        chosen: Recipes, in the order wanted.
        out: Folder for `NAME-RECIPE.tflite` and `NAME-RECIPE.json`; made where it is missing.
        tuning: The run's data, and how to fine-tune on it; for recipes that train.
        say: Takes a line an epoch of fine-tuning.
        bar: Whether Keras shows a bar of its steps.

    Raises:
        FerError: The run or the model cannot be read, the converter refuses, or the folder cannot be written.
    """
    model, held_out, info = run.model(), run.held_out(), run.info
    calibration = pipeline.fitted(run.calibration(), info.input)
    faces = pipeline.fitted(held_out, info.input)
    parent = model.predict(preprocessing.to_input(faces, info.input), batch_size=64, verbose=0)
    written = []
    for recipe in chosen:
        tuned = tuning if recipe.trained else None
        source = model if tuned is None else qat.fine_tune(model, info, calibration, *tuned, say=say, bar=bar)
        flatbuffer = recipes.convert(source, recipe, calibration, info.input)
        metadata = ModelMetadata(
            name=f"{run.name}-{recipe.name}",
            recipe=recipe.name,
            labels=info.labels,
            input=info.input,
            parameters=info.parameters,
            minimum_runtime=recipes.minimum_runtime(flatbuffer),
            origin=Origin(
                run=run.name,
                architecture=info.settings.arch,
                data=info.data.name,
                data_sha256=info.data.sha256,
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                versions={name: importlib.metadata.version(name) for name in _PACKAGES},
            ),
        )
        classifier = Classifier(flatbuffer, metadata)
        child = evaluation.predict(classifier, held_out.faces)
        measured = evaluation.accuracy(info.accuracy.split, child.argmax(axis=1), held_out.labels)
        metadata = msgspec.structs.replace(metadata, accuracy=measured)
        content = attach(flatbuffer, metadata)
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
            qat=None if tuned is None else msgspec.structs.asdict(tuned[1]),
        )
        path = out / f"{metadata.name}.tflite"
        # Both are written before either gets its name.
        with files.replacing(path) as model_file, files.replacing(path.with_suffix(".json")) as report_file:
            model_file.write_bytes(content)
            report_file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        written.append(Converted(path, report))
    return written
