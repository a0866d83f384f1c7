"""One training, from data to run folder."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge import evaluation
from fer_edge.errors import DataError, FerError
from fer_edge.metadata import InputSpec
from fer_train import architectures, augmentation, pipeline, run_folder
from fer_train.datasets import Dataset
from fer_train.keras_setup import keras, tf
from fer_train.run_folder import DataInfo, FitSettings, RunInfo

CALIBRATION_SIZE = 500
HELD_OUT_SIZE = 5_000
SMALLEST_FACE = 8
_PACKAGES = ("fer-edge", "tensorflow", "tf-keras", "numpy", "opencv-python-headless")


@dataclass(frozen=True)
class Epochs:
    """The course of a fitting.

    Attributes:
        metrics: By name, an entry an epoch.
        best: Index of the epoch with the highest accuracy on the selection split; the first of equals.
        seconds: Wall-clock time.
    """

    metrics: tuple[dict[str, float], ...]
    best: int
    seconds: float


def fit(settings: FitSettings, data: Dataset, out: Path, *, verbose: int = 1) -> RunInfo:
    """Train a model and write its run folder, whole or not at all.

    Args:
        settings: All settings.
        data: With a "train" split and one to select on.
        out: The run folder. A run that stands there is kept under a numbered name.
        verbose: Keras' progress: 0 silent, 1 a bar, 2 a line an epoch.

    Returns:
        What `run.json` holds.

    Raises:
        UsageError: A setting cannot be meant.
        DataError: There is no split to select on, or the faces are too small.
        FerError: The folder cannot be written, or the loss is not finite.
    """
    started = datetime.now(UTC)
    keras.utils.set_random_seed(settings.seed)
    module = architectures.REGISTRY.load(settings.arch)
    plan = architectures.Plan(
        input_size=settings.input_size,
        channels=settings.channels,
        classes=len(data.labels),
        alpha=settings.alpha,
        weights=settings.weights,
        head=settings.head,
        dropout=settings.dropout,
        l2=settings.l2,
        batch_norm=settings.batch_norm,
    )
    face_size = data.face_size()
    if face_size < SMALLEST_FACE:
        raise DataError(f"the faces of {data.name} are {face_size} pixels wide: at least {SMALLEST_FACE} are needed")
    spec = InputSpec(
        height=settings.input_size,
        width=settings.input_size,
        channels=1 if settings.channels == 1 else 3,
        color="gray" if settings.channels == 1 else "rgb",
        scale=module.INPUT_SCALE,
        offset=module.INPUT_OFFSET,
        face_size=face_size if face_size < settings.input_size else None,
    )
    judged_on = data.selection_split()
    with run_folder.creating(out) as folder:
        model = architectures.build(settings.arch, plan)
        epochs = fit_model(model, settings, data, spec, folder / "best.weights.h5", verbose)
        held_out = data.split(judged_on)
        predicted = model.predict(pipeline.batches(held_out, spec, settings.batch_size), verbose=0).argmax(axis=1)
        info = RunInfo(
            settings=settings,
            data=DataInfo(name=data.name, sha256=data.fingerprint(), counts=data.counts(), skipped=data.skipped),
            labels=data.labels,
            input=spec,
            parameters=int(model.count_params()),
            epochs=epochs.metrics,
            best_epoch=epochs.best + 1,
            accuracy=evaluation.accuracy(judged_on, predicted, held_out.labels),
            recalls=evaluation.recalls(predicted, held_out.labels, data.labels),
            started=started.isoformat(timespec="seconds"),
            seconds=round(epochs.seconds, 1),
            versions={name: importlib.metadata.version(name) for name in _PACKAGES},
            machine=f"{platform.machine()} {platform.system()}, {os.cpu_count()} processors",
        )
        # A new Model around the layers has no optimizer, whose state would triple the file.
        keras.Model(model.input, model.output, name=model.name).save(folder / run_folder.MODEL)
        for name, split, size in (
            (run_folder.CALIBRATION, data.split("train"), CALIBRATION_SIZE),
            (run_folder.HELD_OUT, held_out, HELD_OUT_SIZE),
        ):
            run_folder.write_split(folder / name, run_folder.sample(split, size, settings.seed), spec)
        run_folder.write_info(folder, info)
    return info


def fit_model(model: Any, settings: FitSettings, data: Dataset, spec: InputSpec, best: Path, verbose: int) -> Epochs:
    """Fit a model, and leave the weights of the best epoch in it.

    Args:
        model: From the input to probabilities.
        settings: Augmentation, epochs, batch size, learning rate, schedule, smoothing and seed are taken from here.
        data: With a "train" split and one to select on.
        spec: The model's input.
        best: Where the best weights are kept meanwhile; ends in `.weights.h5`.
        verbose: Keras' progress.

    Raises:
        FerError: The loss is not finite.
    """
    train, held_out = data.split("train"), data.split(data.selection_split())
    augment = augmentation.layers(settings.augment, settings.seed)
    steps = -(-len(train) // settings.batch_size)
    # Smoothing needs the targets as vectors; the metric is the same either way.
    classes = len(data.labels)

    def one_hot(inputs: Any, labels: Any) -> tuple[Any, Any]:
        return inputs, tf.one_hot(labels, classes)

    model.compile(
        optimizer=keras.optimizers.Adam(_learning_rate(settings, steps)),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        metrics=["accuracy"],
    )
    began = time.monotonic()
    history = model.fit(
        pipeline.batches(train, spec, settings.batch_size, augment=augment, shuffle_seed=settings.seed).map(one_hot),
        validation_data=pipeline.batches(held_out, spec, settings.batch_size).map(one_hot),
        epochs=settings.epochs,
        verbose=verbose,
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.ModelCheckpoint(
                str(best), monitor="val_accuracy", mode="max", save_best_only=True, save_weights_only=True
            ),
        ],
    ).history
    if not np.isfinite([history["loss"], history["val_loss"]]).all():
        raise FerError(f"the loss is not finite in epoch {len(history['loss'])}: lower --learning-rate")
    model.load_weights(str(best))
    best.unlink()
    metrics = tuple(
        {name: round(float(values[epoch]), 6) for name, values in history.items()}
        for epoch in range(len(history["loss"]))
    )
    return Epochs(metrics, int(np.argmax(history["val_accuracy"])), time.monotonic() - began)


def _learning_rate(settings: FitSettings, steps: int) -> Any:
    if settings.schedule == "constant":
        return settings.learning_rate
    warm_up = steps if settings.epochs > 1 else 0
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warm_up else settings.learning_rate,
        decay_steps=steps * settings.epochs - warm_up,
        warmup_target=settings.learning_rate if warm_up else None,
        warmup_steps=warm_up,
    )
