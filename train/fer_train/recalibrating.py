"""A finished run, calibrated after the fact."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from fer_edge.errors import FerError, UsageError
from fer_train import checkpoint, run_folder, training
from fer_train.datasets import Dataset
from fer_train.fitting import Course
from fer_train.run_folder import RunFolder, RunInfo


def calibrate(run: RunFolder, data: Dataset, out: Path) -> RunInfo:
    """Write a run once more with a temperature in its last layer; all else of it stays as it was.

    Args:
        run: The run; left as it is.
        data: What it was trained on.
        out: The new run folder. A run that stands there, be it this one, is kept under a numbered name.

    Returns:
        What the new `run.json` holds.

    Raises:
        UsageError: The run is calibrated already, or something that is no run stands at `out`.
        FerError: The run cannot be read, its weights are no numbers, its model has no last layer of scores, or the
            folder cannot be written.
    """
    info = run.info
    if info.confidence is not None:
        raise UsageError(f"{run.path} is calibrated already, by a temperature of {info.confidence.temperature:.3f}")
    model = run.model()
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise FerError(f"{run.path} has weights that are not finite: train again")
    course = Course(info.epochs, info.best_epoch - 1, info.seconds)
    trained = training.Trained(info.settings, info.input, course, info.started, info.versions, info.machine)
    with run_folder.creating(out) as folder:
        shutil.copytree(run.path, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(checkpoint.NAME))
        return training.finish(folder, out.resolve().name, model, trained, data, calibrate=True)
