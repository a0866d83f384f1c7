"""The state of a training after an epoch, in one file that is whole or not there."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fer_edge import files
from fer_edge.errors import FerError, UsageError
from fer_train.settings import FitSettings

NAME = "checkpoint.npz"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a training has come.

    Attributes:
        settings: Of the training.
        data_sha256: Fingerprint of its data.
        epochs: Metrics by name, an entry a finished epoch.
        seconds: Wall-clock time so far.
        stopped: Whether early stopping ended it.
    """

    settings: FitSettings
    data_sha256: str
    epochs: tuple[dict[str, float], ...]
    seconds: float
    stopped: bool = False

    def check(self, settings: FitSettings, data_sha256: str, path: Path) -> None:
        """Refuse to go on with other settings or other data.

        Raises:
            UsageError: They differ; the message says in what.
        """
        changed = self.settings.differences(settings)
        if self.data_sha256 != data_sha256:
            changed.append(f"the data changed (its fingerprint was {self.data_sha256[:12]} and is {data_sha256[:12]})")
        if changed:
            raise UsageError(f"{path} cannot be resumed: {'; '.join(changed)}")


def save(path: Path, weights: list[np.ndarray], optimizer: list[np.ndarray], progress: Progress) -> None:
    """Write a checkpoint, replacing the one before.

    Raises:
        FerError: It cannot be written; the one before is still there.
    """
    arrays = {f"weight_{number}": array for number, array in enumerate(weights)}
    arrays |= {f"optimizer_{number}": array for number, array in enumerate(optimizer)}
    arrays["progress"] = np.frombuffer(msgspec.json.encode(progress), np.uint8)
    _write(path, arrays)


def save_arrays(path: Path, weights: list[np.ndarray]) -> None:
    """Write weights alone. Raises `FerError` where they cannot be written."""
    _write(path, {str(number): array for number, array in enumerate(weights)})


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def load(path: Path) -> tuple[list[np.ndarray], list[np.ndarray], Progress]:
    """Read weights, the optimizer's variables, and progress.

    Raises:
        FerError: The file is damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            progress = msgspec.json.decode(arrays["progress"].tobytes(), type=Progress)
            return _numbered(arrays, "weight"), _numbered(arrays, "optimizer"), progress
    except (OSError, ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile, msgspec.DecodeError) as error:
        raise FerError(f"the checkpoint {path} cannot be read: {error}; remove its folder and train anew") from error


def put(variables: list[Any], arrays: list[np.ndarray], path: Path) -> None:
    """Set variables to what a checkpoint holds.

    Raises:
        FerError: Number or shapes differ: the checkpoint is of another architecture.
    """
    shapes, stored = [tuple(variable.shape) for variable in variables], [array.shape for array in arrays]
    if shapes != stored:
        raise FerError(
            f"{path} is of another architecture: it holds {len(stored)} arrays of {sum(map(np.prod, stored)):.0f} "
            f"numbers, and {len(shapes)} of {sum(map(np.prod, shapes)):.0f} are wanted"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _numbered(arrays: Any, prefix: str) -> list[np.ndarray]:
    number = sum(name.startswith(f"{prefix}_") for name in arrays)
    return [arrays[f"{prefix}_{index}"] for index in range(number)]
