"""What a training leaves behind, and all that the later stages need: one folder.

model.keras        the float model, the epoch that was best on the selection split
run.json           `RunInfo`: settings, data, versions, metrics per epoch
history.csv        the metrics per epoch once more, for spreadsheets
calibration.npz    a sample of training faces, for the converter's representative data
held_out.npz       the selection split, for comparing what the converter wrote with the float model
README.md          the model card
report.html        how the model judges the selection split, with pictures; report.json, the same in numbers

While the training runs, the folder is called `.NAME.part` and holds `checkpoint.npz`.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

import msgspec

from fer_edge import files
from fer_edge.errors import FerError, UsageError
from fer_edge.metadata import Accuracy, InputSpec
from fer_train import checkpoint, datasets, samples
from fer_train.calibrating import Confidence
from fer_train.datasets import Dataset, Split
from fer_train.settings import FitSettings

MODEL = "model.keras"
INFO = "run.json"
HISTORY = "history.csv"
CALIBRATION = "calibration.npz"
HELD_OUT = "held_out.npz"


class DataInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The data of a training.

    Attributes:
        name: As the reader names it.
        sha256: Its fingerprint.
        counts: Images by split and label.
        skipped: Files that did not decode.
    """

    name: str
    sha256: str
    counts: dict[str, dict[str, int]]
    skipped: tuple[str, ...]


class RunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `run.json`.

    Attributes:
        settings: Every setting.
        data: What was trained on.
        labels: Expressions by number.
        input: How a face becomes the model's input.
        parameters: Number of weights.
        epochs: Metrics by name, an entry an epoch.
        best_epoch: Number from 1 of the epoch whose weights were kept: the best on the selection split.
        accuracy: Of the kept weights on the selection split.
        recalls: Recall of each label on that split.
        loss: Cross-entropy of the kept weights on that split.
        train_accuracy: Of the kept weights on a sample of the training faces, not augmented.
        multiply_accumulates: Of one face's way through the network.
        confidence: How it was calibrated; None where it was not.
        started: UTC, ISO 8601.
        seconds: Wall-clock time of the fitting.
        versions: Packages, name to version.
        machine: Processor architecture, system and number of processors.
    """

    settings: FitSettings
    data: DataInfo
    labels: tuple[str, ...]
    input: InputSpec
    parameters: int
    epochs: tuple[dict[str, float], ...]
    best_epoch: int
    accuracy: Accuracy
    recalls: dict[str, float | None]
    loss: float | None = None
    train_accuracy: Accuracy | None = None
    multiply_accumulates: int | None = None
    confidence: Confidence | None = None
    started: str
    seconds: float
    versions: dict[str, str]
    machine: str


class RunFolder:
    """A finished training on disk.

    Attributes:
        path: The folder.
        info: Its `run.json`.
    """

    def __init__(self, path: Path) -> None:
        """Open a run.

        Raises:
            UsageError: The folder is no run.
            FerError: Its `run.json` is damaged.
        """
        self.path = path
        if files.kind(path / INFO) != "file":
            raise UsageError(f"{path} is not a run folder (no {INFO} in it): make one with 'fer-train fit'")
        try:
            self.info = msgspec.json.decode(files.read_bytes(path / INFO, "run"), type=RunInfo)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FerError(f"{path / INFO} is damaged: {error}; train again") from error

    @property
    def name(self) -> str:
        """Name of the run: of its folder."""
        return self.path.resolve().name

    def model(self) -> Any:
        """Load the Keras model. Raises `FerError` where it cannot be loaded or contradicts the run's `run.json`."""
        from fer_train.keras_setup import keras

        try:
            model = keras.models.load_model(self.path / MODEL, compile=False)
        except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            reason = str(error).strip().splitlines()[0]
            raise FerError(f"{self.path / MODEL} cannot be loaded: {reason}; train again") from error
        spec = self.info.input
        expected = (spec.height, spec.width, spec.channels), len(self.info.labels)
        if (model.input_shape[1:], model.output_shape[-1]) != expected:
            raise FerError(f"{self.path}: the model's input or output contradicts its run.json; train again")
        return model

    def data(self, path: Path) -> Dataset:
        """Read the data that the run was trained on, divided as it was then.

        Raises:
            UsageError: It is other data: the run's held-out faces would no longer be held out.
            DataError: It cannot be read.
        """
        settings = self.info.settings
        data = datasets.load(
            path,
            labels=settings.labels,
            drop_duplicates=settings.drop_duplicates,
            ferplus=settings.ferplus,
            seed=settings.split_seed,
        )
        if data.fingerprint() != self.info.data.sha256:
            raise UsageError(f"{data.name} is not the data that the run was trained on (its fingerprint differs)")
        return data

    def calibration(self) -> Split:
        """Read the sample of training faces. Raises `DataError`."""
        return samples.read(self.path / CALIBRATION, self.info.labels)

    def held_out(self) -> Split:
        """Read the selection split. Raises `DataError`."""
        return samples.read(self.path / HELD_OUT, self.info.labels)


def newest(runs: Path) -> RunFolder:
    """Open the run that finished last.

    Raises:
        UsageError: There is none.
    """
    finished = [path.parent for path in runs.glob(f"*/{INFO}")]
    if not finished:
        raise UsageError(f"no run under {runs}: make one with 'fer-train fit', or name its folder")
    return RunFolder(max(finished, key=lambda path: (path / INFO).stat().st_mtime_ns))


def unfinished(path: Path) -> Path:
    """Give the folder of the training that is to become the run at `path`."""
    path = path.absolute()  # "." has no name of its own
    return path.with_name(f".{path.name}.part")


def check(path: Path) -> None:
    """Find out early that no run can take its place at a path.

    Raises:
        UsageError: Something that is not a run stands there.
    """
    path = path.absolute()
    free = files.kind(path) == "nothing" or (files.kind(path) == "folder" and not any(path.iterdir()))
    if not free and files.kind(path / INFO) != "file":
        raise UsageError(f"{path} exists and is not a run folder: choose another --out")


@contextmanager
def creating(path: Path, *, resume: bool = False) -> Iterator[Path]:
    """Give the folder of an unfinished training, which takes its place at `path` on success.

    A run that stands at `path` already is kept as `path-1`, `path-2` and so on. After a failure the unfinished folder
    stays where it holds a checkpoint, and is removed otherwise.

    Args:
        path: The run folder.
        resume: Go on in an unfinished folder where there is one.

    Raises:
        UsageError: Something that is not a run stands at `path`, or an unfinished training that is not to be resumed.
        FerError: The folder cannot be made.
    """
    check(path)
    path, temporary = path.absolute(), unfinished(path)
    kept = temporary / checkpoint.NAME
    if files.kind(kept) == "file" and not resume:
        raise UsageError(f"an unfinished training stands in {temporary}: go on with --resume, or remove it")
    try:
        if temporary.exists() and not kept.exists():
            rmtree(temporary)
        temporary.mkdir(parents=True, exist_ok=True)
        yield temporary
        if (path / INFO).is_file():
            number = next(n for n in range(1, 1_000_000) if not path.with_name(f"{path.name}-{n}").exists())
            path.rename(path.with_name(f"{path.name}-{number}"))
        temporary.replace(path)
    except OSError as error:
        raise FerError(f"cannot write the run {path}: {error.strerror or error}") from error
    finally:
        if not kept.is_file():
            rmtree(temporary, ignore_errors=True)


def write_info(folder: Path, info: RunInfo) -> None:
    """Write `run.json` and `history.csv`."""
    files.write_bytes(folder / INFO, msgspec.json.format(msgspec.json.encode(info), indent=2) + b"\n")
    write_history(folder, info.epochs)


def write_history(folder: Path, epochs: Sequence[dict[str, float]]) -> None:
    """Write `history.csv`."""
    table = io.StringIO()
    rows = [{"epoch": number, **metrics} for number, metrics in enumerate(epochs, start=1)]
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    files.write_bytes(folder / HISTORY, table.getvalue().encode())
