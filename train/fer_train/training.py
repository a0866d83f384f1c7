"""One training, from data to run folder."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge import evaluation
from fer_edge.errors import DataError, UsageError
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import InputSpec
from fer_train import (
    architectures,
    calibrating,
    card,
    cost,
    fitting,
    pipeline,
    precision,
    run_folder,
    samples,
    workers,
)
from fer_train.datasets import Dataset, defects
from fer_train.judging import metrics, report
from fer_train.keras_setup import keras
from fer_train.run_folder import DataInfo, RunFolder, RunInfo
from fer_train.settings import FitSettings

SMALLEST_FACE = 8
_TRAIN_SAMPLE = 5_000
_PACKAGES = ("fer-edge", "tensorflow", "tf-keras", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class Trained:
    """How a model came to be.

    Attributes:
        settings: All settings.
        spec: The model's input.
        course: Of the fitting.
        started: UTC, ISO 8601.
        versions: Packages that trained it, name to version.
        machine: That trained it.
    """

    settings: FitSettings
    spec: InputSpec
    course: fitting.Course
    started: str
    versions: dict[str, str]
    machine: str


def fit(
    settings: FitSettings,
    data: Dataset,
    out: Path,
    *,
    resume: bool = False,
    say: Callable[[str], None] = lambda _line: None,
    bar: bool = False,
    tensorboard: bool = False,
    team: workers.Team | None = None,
) -> RunInfo | None:
    """Train a model and write its run folder; until it is whole, the folder has another name.

    Args:
        settings: All settings.
        data: With a "train" split and one to select on.
        out: The run folder. A run that stands there is kept under a numbered name.
        resume: Go on from the last checkpoint of an unfinished training, if there is one.
        say: Takes a line an epoch.
        bar: Whether Keras shows a bar of the steps.
        tensorboard: Whether events for TensorBoard are written into the folder.
        team: The processes that train together; alone without one.

    Returns:
        What `run.json` holds; None in a process of a team that does not write.

    Raises:
        UsageError: A setting cannot be meant, or differs from those of the training to resume.
        DataError: There is no split to select on, or the faces are too small.
        FerError: A file cannot be read or written, or the loss is not finite.
    """
    started, team = datetime.now(UTC), team or workers.Team()
    keras.utils.set_random_seed(settings.seed)
    spec = _input(settings, data)
    data.selection_split()
    with _folder(out, resume=resume, writes=team.writes) as folder:
        with precision.policy(mixed=settings.mixed_precision), team.scope():
            model = build(settings, len(data.labels))
            if settings.start_from is not None:
                _start(model, RunFolder(Path(settings.start_from)))
        setting = fitting.Setting(folder, say, bar, tensorboard, team)
        course = fitting.fit_model(model, settings, data, spec, setting)
        if not team.writes:
            return None
        # In float32, and without the team.
        plain = build(settings, len(data.labels), weights="none")
        plain.set_weights(model.get_weights())
        versions = {package: importlib.metadata.version(package) for package in _PACKAGES}
        machine = f"{platform.machine()} {platform.system()}, {os.cpu_count()} processors"
        trained = Trained(settings, spec, course, started.isoformat(timespec="seconds"), versions, machine)
        _keep_faces(folder, trained, data)
        return finish(folder, out.resolve().name, plain, trained, data, calibrate=settings.calibrate)


def build(settings: FitSettings, classes: int, *, weights: str | None = None) -> Any:
    """Build the network that the settings name, with other starting weights where they are given."""
    return architectures.build(settings.arch, _plan(settings, classes, weights or settings.weights))


def check(settings: FitSettings) -> None:
    """Find out, without data, whether the network that the settings name can be built and frozen as they say.

    Raises:
        UsageError: It cannot.
    """
    architectures.check(settings.arch, _plan(settings, len(EXPRESSIONS), settings.weights))
    if settings.freeze_epochs:
        architectures.backbone_end(settings.arch)


def _plan(settings: FitSettings, classes: int, weights: str) -> architectures.Plan:
    return architectures.Plan(
        input_size=settings.input_size,
        channels=settings.channels,
        classes=classes,
        alpha=settings.alpha,
        weights=weights,
        head=settings.head,
        dropout=settings.dropout,
        l2=settings.l2,
        batch_norm=settings.batch_norm,
    )


def _start(model: Any, run: RunFolder) -> None:
    """Take over the weights of a run."""
    weights = run.model().get_weights()
    if [weight.shape for weight in weights] != [weight.shape for weight in model.get_weights()]:
        raise UsageError(f"--start-from {run.path} is another network than {model.name}: give the same architecture")
    model.set_weights(weights)


def _input(settings: FitSettings, data: Dataset) -> InputSpec:
    module = architectures.REGISTRY.load(settings.arch)
    face_size = data.face_size()
    if face_size < SMALLEST_FACE:
        raise DataError(f"the faces of {data.name} are {face_size} pixels wide: at least {SMALLEST_FACE} are needed")
    return InputSpec(
        height=settings.input_size,
        width=settings.input_size,
        channels=1 if settings.channels == 1 else 3,
        color="gray" if settings.channels == 1 else "rgb",
        scale=module.INPUT_SCALE,
        offset=module.INPUT_OFFSET,
        face_size=face_size if face_size < settings.input_size else None,
    )


@contextlib.contextmanager
def _folder(out: Path, *, resume: bool, writes: bool) -> Iterator[Path]:
    if not writes:
        yield run_folder.unfinished(out)
        return
    with run_folder.creating(out, resume=resume) as folder:
        yield folder
        fitting.clean(folder)


def finish(folder: Path, name: str, model: Any, trained: Trained, data: Dataset, *, calibrate: bool) -> RunInfo:
    """Judge a model and write it with its report, its card and `run.json`.

    Args:
        folder: Of the run, before it has its name.
        name: Of the run.
        model: In float32, without an optimizer; calibrated in place.
        trained: How it came to be.
        data: What it was trained on.
        calibrate: Whether to put a temperature into the last layer first.
    """
    settings, spec = trained.settings, trained.spec
    judged_on = data.selection_split()
    held_out, train = data.split(judged_on), data.split("train")

    def predict(split: Any) -> np.ndarray:
        with pipeline.data_errors():
            predicted: np.ndarray = model.predict(pipeline.batches(split, spec, settings.batch_size), verbose=0)
        return predicted

    probabilities, confidence = predict(held_out), None
    if calibrate:
        confidence = calibrating.measure(judged_on, probabilities, held_out.labels, settings.seed)
        calibrating.fold(model, confidence.temperature)
        probabilities = predict(held_out)
    # Without an optimizer, whose state would triple the file.
    model.save(folder / run_folder.MODEL)
    judgement = metrics.judge(judged_on, probabilities, held_out.labels, data.labels, defects.leaked(data, judged_on))
    sample = samples.draw(train, _TRAIN_SAMPLE, settings.seed)
    info = RunInfo(
        settings=settings,
        data=DataInfo(name=data.name, sha256=data.fingerprint(), counts=data.counts(), skipped=data.skipped),
        labels=data.labels,
        input=spec,
        parameters=int(model.count_params()),
        epochs=trained.course.epochs,
        best_epoch=trained.course.best + 1,
        accuracy=judgement.accuracy,
        recalls={one.label: one.recall for one in judgement.classes},
        loss=judgement.negative_log_likelihood,
        train_accuracy=evaluation.accuracy("train", predict(sample).argmax(axis=1), sample.labels),
        multiply_accumulates=cost.multiply_accumulates(model),
        confidence=confidence,
        started=trained.started,
        seconds=round(trained.course.seconds, 1),
        versions=trained.versions,
        machine=trained.machine,
    )
    report.write(folder, name, judgement, held_out, probabilities, data.labels, epochs=info.epochs)
    card.write(folder, name, info, judgement)
    run_folder.write_info(folder, info)
    return info


def _keep_faces(folder: Path, trained: Trained, data: Dataset) -> None:
    """Write the faces that the converter needs."""
    for file, split, size in (
        (run_folder.CALIBRATION, data.split("train"), samples.CALIBRATION_SIZE),
        (run_folder.HELD_OUT, data.split(data.selection_split()), samples.HELD_OUT_SIZE),
    ):
        samples.write(folder / file, samples.draw(split, size, trained.settings.seed), trained.spec)
