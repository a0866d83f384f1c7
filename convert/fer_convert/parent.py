"""What is converted: a float model, with the faces to calibrate on and those to judge by."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_convert import calibration
from fer_convert.calibration import Calibration
from fer_edge import preprocessing
from fer_edge.errors import FerError, UsageError
from fer_edge.metadata import InputSpec, Origin
from fer_train import pipeline
from fer_train.datasets import Dataset, Split, defects
from fer_train.keras_setup import keras
from fer_train.run_folder import RunFolder
from fer_train.settings import FitSettings

_PACKAGES = ("fer-edge", "tensorflow", "tf-keras")
_BATCH_SIZE = 64


@dataclass(frozen=True)
class Parent:
    """A float model and its faces.

    Attributes:
        name: Begins the names of the files made of it.
        path: The run folder, or the foreign model.
        model: A Keras 2 model, or an `exported.Exported`; from [N, H, W, C] float32 to probabilities [N, labels].
        labels: Expressions by number.
        input: How a face becomes its input.
        parameters: Number of weights.
        origin: Where it comes from.
        settings: What a fine-tuning starts from: those of the run, or the defaults.
        calibration: Training faces.
        held_out: Faces to judge by, none of them to calibrate on.
        split: Name of the split that they come from.
    """

    name: str
    path: Path
    model: Any
    labels: tuple[str, ...]
    input: InputSpec
    parameters: int
    origin: Origin
    settings: FitSettings
    calibration: Calibration
    held_out: Split
    split: str

    @property
    def tunable(self) -> bool:
        """Whether it has layers that can be trained."""
        return isinstance(self.model, keras.Model)

    def probabilities(self) -> npt.NDArray[np.float32]:
        """Judge the held-out faces: [N, labels].

        Raises:
            FerError: Weights or probabilities are not finite.
        """
        if not all(np.isfinite(weight).all() for weight in self.model.get_weights()):
            raise FerError(f"{self.path} has weights that are not finite: train again")
        return answers(self.model, self.held_out, self.input, self.path)


def of_run(run: RunFolder, data: Dataset | None = None, size: int | None = None) -> Parent:
    """Take a training.

    Args:
        run: The training.
        data: Its data, to draw `size` calibration faces from; without both the calibration is from those that it kept.
        size: Number of calibration faces; all that were kept without it.

    Raises:
        UsageError: There are too few faces.
        FerError: The run cannot be read.
    """
    info = run.info
    kept = run.calibration()
    if size is not None and data is None and size > len(kept):
        raise UsageError(f"{run.path} kept {len(kept)} faces to calibrate with: for {size} give its data with --data")
    source = kept if data is None or size is None else defects.without_leaks(data).split("train")
    return Parent(
        name=run.name,
        path=run.path,
        model=run.model(),
        labels=info.labels,
        input=info.input,
        parameters=info.parameters,
        origin=origin(run.name, info.settings.arch, info.data.name, info.data.sha256),
        settings=info.settings,
        calibration=calibration.draw(source, info.labels, size, data=info.data.name, seed=info.settings.seed),
        held_out=run.held_out(),
        split=info.accuracy.split,
    )


def answers(model: Any, split: Split, spec: InputSpec, path: Path) -> npt.NDArray[np.float32]:
    """Give what a float model gives for the faces of a split: [N, classes].

    Raises:
        FerError: Some of it is not finite.
    """
    faces = pipeline.fitted(split, spec)
    # Not all at once: 3,589 faces of 224 x 224 in colour are 2 GB.
    batches = [faces[start : start + _BATCH_SIZE] for start in range(0, len(faces), _BATCH_SIZE)]
    given = np.concatenate([model.predict_on_batch(preprocessing.to_input(batch, spec)) for batch in batches])
    if not np.isfinite(given).all():
        raise FerError(f"{path} gives numbers that are not finite: its weights or its scaling are wrong")
    return np.asarray(given, np.float32)


def origin(run: str, architecture: str, data: str, sha256: str) -> Origin:
    """Say where a model comes from; see `Origin`."""
    return Origin(
        run=run,
        architecture=architecture,
        data=data,
        data_sha256=sha256,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={name: importlib.metadata.version(name) for name in _PACKAGES},
    )
