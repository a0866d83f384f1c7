"""One training, from data to run folder."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge import evaluation
from fer_edge.errors import DataError
from fer_edge.metadata import InputSpec
from fer_train import architectures, card, cost, fitting, pipeline, precision, run_folder, samples, workers
from fer_train.datasets import Dataset, defects
from fer_train.judging import metrics, report
from fer_train.keras_setup import keras
from fer_train.run_folder import DataInfo, RunInfo
from fer_train.settings import FitSettings

SMALLEST_FACE = 8
_TRAIN_SAMPLE = 5_000
_PACKAGES = ("fer-edge", "tensorflow", "tf-keras", "numpy", "opencv-python-headless")


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
        setting = fitting.Setting(folder, say, bar, tensorboard, team)
        course = fitting.fit_model(model, settings, data, spec, setting)
        if not team.writes:
            return None
        # In float32, without an optimizer, whose state would triple the file, and without the team.
        plain = build(settings, len(data.labels), weights="none")
        plain.set_weights(model.get_weights())
        plain.save(folder / run_folder.MODEL)
        return _finish(folder, out.resolve().name, plain, settings, data, spec, course, started)


def build(settings: FitSettings, classes: int, *, weights: str | None = None) -> Any:
    """Build the network that the settings name, with other starting weights where they are given."""
    plan = architectures.Plan(
        input_size=settings.input_size,
        channels=settings.channels,
        classes=classes,
        alpha=settings.alpha,
        weights=weights or settings.weights,
        head=settings.head,
        dropout=settings.dropout,
        l2=settings.l2,
        batch_norm=settings.batch_norm,
    )
    return architectures.build(settings.arch, plan)


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


def _finish(
    folder: Path,
    name: str,
    model: Any,
    settings: FitSettings,
    data: Dataset,
    spec: InputSpec,
    course: fitting.Course,
    started: datetime,
) -> RunInfo:
    """Judge a model and write all of the run folder but the model."""
    judged_on = data.selection_split()
    held_out, train = data.split(judged_on), data.split("train")

    def predict(split: Any) -> np.ndarray:
        with pipeline.data_errors():
            predicted: np.ndarray = model.predict(pipeline.batches(split, spec, settings.batch_size), verbose=0)
        return predicted

    probabilities = predict(held_out)
    judgement = metrics.judge(judged_on, probabilities, held_out.labels, data.labels, defects.leaked(data, judged_on))
    sample = samples.draw(train, _TRAIN_SAMPLE, settings.seed)
    info = RunInfo(
        settings=settings,
        data=DataInfo(name=data.name, sha256=data.fingerprint(), counts=data.counts(), skipped=data.skipped),
        labels=data.labels,
        input=spec,
        parameters=int(model.count_params()),
        epochs=course.epochs,
        best_epoch=course.best + 1,
        accuracy=judgement.accuracy,
        recalls={one.label: one.recall for one in judgement.classes},
        loss=judgement.negative_log_likelihood,
        train_accuracy=evaluation.accuracy("train", predict(sample).argmax(axis=1), sample.labels),
        multiply_accumulates=cost.multiply_accumulates(model),
        started=started.isoformat(timespec="seconds"),
        seconds=round(course.seconds, 1),
        versions={package: importlib.metadata.version(package) for package in _PACKAGES},
        machine=f"{platform.machine()} {platform.system()}, {os.cpu_count()} processors",
    )
    report.write(folder, name, judgement, held_out, probabilities, data.labels, epochs=course.epochs)
    card.write(folder, name, info, judgement)
    for file, split, size in (
        (run_folder.CALIBRATION, train, samples.CALIBRATION_SIZE),
        (run_folder.HELD_OUT, held_out, samples.HELD_OUT_SIZE),
    ):
        samples.write(folder / file, samples.draw(split, size, settings.seed), spec)
    run_folder.write_info(folder, info)
    return info
