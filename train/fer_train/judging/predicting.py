"""What a model gives for a split, whether it is a run folder or a model file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from fer_edge import evaluation, files
from fer_edge.classifier import Classifier
from fer_edge.errors import FerError, UsageError
from fer_edge.metadata import InputSpec
from fer_train.datasets import Split
from fer_train.run_folder import RunFolder

BATCH_SIZE = 64


@dataclass(frozen=True)
class OpenModel:
    """A model that has been found to be one; its weights wait for `probabilities`.

    Attributes:
        path: As given.
        kind: "run" for a run folder, "tflite" for a model file.
        name: Of the run's folder, or from the model file's metadata.
        labels: Expressions in the order of its output.
        input: How a face becomes its input.
        parameters: Number of weights of the float model.
        bytes: Size of the model file; None for a run.
        epochs: Metrics by name, an entry an epoch; None for a model file.
        split_seed: Of the split that was made for a run; None for a model file.
    """

    path: Path
    kind: Literal["run", "tflite"]
    name: str
    labels: tuple[str, ...]
    input: InputSpec
    parameters: int
    bytes: int | None
    epochs: tuple[dict[str, float], ...] | None
    split_seed: int | None


def open_model(path: Path) -> OpenModel:
    """Find out what model is at a path.

    Raises:
        UsageError: There is nothing, or a folder that is no run.
        ModelError: The file is not one of ours, or damaged.
        FerError: It cannot be read, or the run's `run.json` is damaged.
    """
    kind = files.kind(path)
    if kind == "nothing":
        raise UsageError(f"no model at {path}: give a run folder of 'fer-train fit' or a .tflite of 'fer-convert'")
    if kind == "folder":
        run = RunFolder(path)
        info = run.info
        seed = info.settings.split_seed
        return OpenModel(path, "run", run.name, info.labels, info.input, info.parameters, None, info.epochs, seed)
    metadata = Classifier.load(path).metadata
    return OpenModel(
        path,
        "tflite",
        metadata.name,
        metadata.labels,
        metadata.input,
        metadata.parameters,
        path.stat().st_size,
        None,
        None,
    )


def probabilities(
    path: Path, split: Split, labels: tuple[str, ...], step: Callable[[int], None] = lambda _: None
) -> npt.NDArray[np.float32]:
    """Classify all faces of a split.

    Args:
        path: A run folder, whose float model is taken, or a `.tflite` of ours, which the device's own code runs.
        split: N faces.
        labels: The order wanted of the columns: the model's labels in any order.
        step: Called with the number of faces after each one or few, for a progress bar.

    Returns:
        [N, C] float32 in 0..1, each row summing to 1.

    Raises:
        UsageError: There is no model at the path, or it has other labels.
        ModelError: The file is not one of ours, is damaged or gives no probabilities.
        FerError: The run cannot be loaded, does not fit its `run.json`, or gives no probabilities.
    """
    model = open_model(path)
    if set(model.labels) != set(labels):
        raise UsageError(f"{path} tells apart {', '.join(model.labels)}, not {', '.join(labels)}")
    if model.kind == "run":
        given = _by_keras(model, split, step)
    else:
        given = evaluation.predict(Classifier.load(path), split.faces, lambda: step(1))
    return given[:, [model.labels.index(label) for label in labels]]


def average(members: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Give the mean of the members' probabilities, [N, C] float32 each with equal columns."""
    return np.asarray(np.mean(members, axis=0, dtype=np.float64), np.float32)


def _by_keras(model: OpenModel, split: Split, step: Callable[[int], None]) -> npt.NDArray[np.float32]:
    # A model file is judged without TensorFlow, which takes seconds to import.
    from fer_train import pipeline

    network, spec = RunFolder(model.path).model(), model.input
    rows = []
    with pipeline.data_errors():
        for inputs, *_ in pipeline.batches(split, spec, BATCH_SIZE):
            rows.append(network.predict_on_batch(inputs))
            step(len(rows[-1]))
    given = np.concatenate(rows).astype(np.float32)
    if not np.isfinite(given).all():
        raise FerError(f"{model.path} gives probabilities that are no numbers: its weights are damaged; train again")
    return given
