"""The fitting of a model: phases, checkpoints, the best epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fer_edge.metadata import InputSpec
from fer_train import callbacks, checkpoint, distilling, optimizing, phases, pipeline, run_folder, workers
from fer_train.checkpoint import Progress
from fer_train.datasets import Dataset
from fer_train.keras_setup import keras
from fer_train.settings import FitSettings

_BEST = "best.npz"


@dataclass(frozen=True)
class Course:
    """The course of a fitting.

    Attributes:
        epochs: Metrics by name, an entry an epoch.
        best: Index of the best epoch by `FitSettings.monitor`; the first of equals.
        seconds: Wall-clock time, without interruptions.
    """

    epochs: tuple[dict[str, float], ...]
    best: int
    seconds: float


@dataclass(frozen=True)
class Setting:
    """Where and how a fitting runs, which does not change its result.

    Attributes:
        folder: For checkpoints and logs; a checkpoint in it is gone on from.
        say: Takes a line an epoch.
        bar: Whether Keras shows a bar of the steps.
        tensorboard: Whether events are written to `tensorboard/` in the folder.
        team: The processes that train together.
    """

    folder: Path
    say: Callable[[str], None] = lambda _line: None
    bar: bool = False
    tensorboard: bool = False
    team: workers.Team = field(default_factory=workers.Team)


@dataclass(frozen=True)
class Extras:
    """What the fine-tuning of a model that is being shrunk adds to a fitting.

    Attributes:
        callbacks: Keras callbacks that come before all others.
        keep_from: The first epoch, from 0, whose weights may be kept.
        teachers: In place of the runs that the settings' distillation names.
    """

    callbacks: tuple[Any, ...] = ()
    keep_from: int = 0
    teachers: tuple[distilling.Teacher, ...] = ()


def best_epoch(epochs: tuple[dict[str, float], ...], monitor: str, first: int = 0) -> int:
    """Give the index of the best epoch from the given one on; the first of equals."""
    metric, mode = callbacks.METRICS[monitor]
    values = [epoch[metric] for epoch in epochs[first:]]
    return first + int(np.argmax(values) if mode == "max" else np.argmin(values))


def fit_model(
    model: Any,
    settings: FitSettings,
    data: Dataset,
    spec: InputSpec,
    setting: Setting,
    extras: Extras = Extras(),
) -> Course:
    """Fit a model, and leave the weights of the best epoch in it, in the process that writes.

    After every epoch a checkpoint is written. A fitting that finds one goes on from it, to the same result as an
    unbroken one: order, augmentation and dropout depend on seed, epoch and step alone.

    Args:
        model: From the input to probabilities, built with the team's strategy.
        settings: How to fit.
        data: With a "train" split and one to select on.
        spec: The model's input.
        setting: Where to.
        extras: What a fine-tuning adds.

    Raises:
        UsageError: A setting cannot be meant, or differs from the checkpoint's.
        FerError: The loss is not finite, or a checkpoint cannot be read or written; the last good one is kept.
    """
    planned = phases.plan(settings, model)
    path = setting.folder / checkpoint.NAME
    progress = Progress(settings=settings, data_sha256=data.fingerprint(), epochs=(), seconds=0.0)
    state: list[np.ndarray] = []
    if path.is_file():
        weights, state, found = checkpoint.load(path)
        found.check(settings, progress.data_sha256, path)
        checkpoint.put(model.weights, weights, path)
        progress = found
    for phase in planned:
        if progress.stopped or len(progress.epochs) >= phase.epochs.stop:
            continue
        began_here = len(progress.epochs) == phase.epochs.start
        progress = _fit_phase(model, phase, data, spec, setting, extras, progress, [] if began_here else state)
    best = best_epoch(progress.epochs, settings.monitor, extras.keep_from)
    if setting.team.writes:
        # The others may find that the folder has its final name already.
        with np.load(setting.folder / _BEST, allow_pickle=False) as arrays:
            checkpoint.put(model.weights, [arrays[name] for name in arrays], setting.folder / _BEST)
    return Course(progress.epochs, best, progress.seconds)


def clean(folder: Path) -> None:
    """Remove what a finished training needs no more."""
    for name in (checkpoint.NAME, _BEST):
        (folder / name).unlink(missing_ok=True)


def _fit_phase(
    model: Any,
    phase: phases.Phase,
    data: Dataset,
    spec: InputSpec,
    setting: Setting,
    extras: Extras,
    progress: Progress,
    state: list[np.ndarray],
) -> Progress:
    settings, classes, path = progress.settings, len(data.labels), setting.folder / checkpoint.NAME
    train, held_out = data.split("train"), data.split(data.selection_split())
    steps, first = pipeline.steps(train, settings, setting.team.size), len(progress.epochs)
    teach = taught = None
    if settings.distillation:
        teachers = extras.teachers or distilling.load(settings.distillation, data.labels)
        if settings.distillation.view == "clean":
            taught = distilling.judged(teachers, train, settings.distillation.temperature)
        else:
            teach = distilling.teaching(teachers, settings.distillation.temperature)
    phase.apply(model)
    with setting.team.scope():
        optimizer = optimizing.optimizer(settings, steps, len(phase.epochs), phase.learning_rate)
        metrics = [distilling.Accuracy(name="accuracy")]
        if settings.monitor == "macro-f1":
            metrics.append(distilling.MacroF1())
        loss = distilling.Loss(settings.label_smoothing, settings.distillation)
        model.compile(optimizer=optimizer, loss=loss, metrics=metrics)
        optimizer.build(model.trainable_variables)
    if state:
        checkpoint.put(optimizer.variables, state, path)
    began, before = time.monotonic(), progress.seconds

    def keep(metrics: dict[str, float]) -> None:
        nonlocal progress
        progress = msgspec.structs.replace(
            progress,
            epochs=(*progress.epochs, metrics),
            seconds=before + time.monotonic() - began,
            stopped=bool(model.stop_training),
        )
        weights = [variable.numpy() for variable in model.weights]
        variables = [variable.numpy() for variable in optimizer.variables]
        if not setting.team.writes:
            return
        done = len(progress.epochs)
        if done > extras.keep_from and best_epoch(progress.epochs, settings.monitor, extras.keep_from) == done - 1:
            checkpoint.save_arrays(setting.folder / _BEST, weights)
        checkpoint.save(path, weights, variables, progress)
        run_folder.write_history(setting.folder, progress.epochs)

    last = phase.epochs.stop == settings.epochs
    standard = callbacks.standard(settings) if last else []
    with pipeline.data_errors():
        model.fit(
            setting.team.share(
                lambda worker: pipeline.training(
                    train,
                    spec,
                    settings,
                    classes,
                    epochs=range(first, phase.epochs.stop),
                    teach=teach,
                    taught=taught,
                    worker=worker,
                )
            ),
            steps_per_epoch=steps,
            validation_data=pipeline.batches(held_out, spec, settings.batch_size, classes),
            initial_epoch=first,
            epochs=phase.epochs.stop,
            verbose=1 if setting.bar else 0,
            callbacks=[
                *extras.callbacks,
                callbacks.Reseed(settings.seed),
                callbacks.StopOnNonFinite(lambda: len(progress.epochs)),
                *standard,
                callbacks.Replay(standard, phase.epochs.start, progress.epochs[phase.epochs.start :]),
                *([keras.callbacks.TensorBoard(str(setting.folder / "tensorboard"))] if setting.tensorboard else []),
                callbacks.AfterEpoch(keep),
                callbacks.Tell(first, settings.epochs, setting.say),
            ],
        )
    return progress
