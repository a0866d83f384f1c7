"""A model that fer-train did not make: what its owner has to tell, and how it is known. Needs no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from fer_edge import files
from fer_edge.errors import UsageError
from fer_edge.metadata import InputSpec
from fer_train import run_folder

KERAS_SUFFIXES = (".keras", ".h5", ".hdf5")
SAVED_MODEL = "saved_model.pb"
_LONGEST_REASON = 200


@dataclass(frozen=True)
class Foreign:
    """A foreign model, and what its file does not tell.

    Attributes:
        path: A Keras file, or the folder of a SavedModel.
        labels: Expressions in the order of its output.
        scale: A pixel p of 0..255 becomes `p * scale + offset`.
        offset: See `scale`.
        logits: Whether it ends before the softmax.
        data: Labelled faces to calibrate with and to compare on.
    """

    path: Path
    labels: tuple[str, ...]
    scale: float
    offset: float
    logits: bool
    data: Path

    @property
    def name(self) -> str:
        """Name of the model: of its file without the ending, or of its folder."""
        path = self.path.resolve()
        return path.name if path.is_dir() else path.stem

    def input(self, height: int, width: int, channels: int, face_size: int) -> InputSpec:
        """Describe the model's input.

        Args:
            height: Rows, pixels.
            width: Columns, pixels.
            channels: 1 or 3.
            face_size: Side of the faces of the data, pixels.

        Raises:
            UsageError: The size or the scaling is out of bounds.
        """
        spec = {
            "height": height,
            "width": width,
            "channels": channels,
            "color": "gray" if channels == 1 else "rgb",
            "scale": self.scale,
            "offset": self.offset,
            "face_size": face_size if face_size < min(height, width) else None,
        }
        try:
            return msgspec.convert(spec, InputSpec)
        except msgspec.ValidationError as error:
            raise UsageError(f"the input of {self.path} cannot be described: {error}") from error


def reason(error: Exception) -> str:
    """Give the first sentence of what a library says of a file that it cannot read."""
    said = " ".join(str(error).split()).partition(". ")[0].rstrip(".")
    return said[:_LONGEST_REASON] or type(error).__name__


def is_foreign(path: Path) -> bool:
    """Tell a foreign model from a run folder.

    Raises:
        UsageError: It is neither.
    """
    kind = files.kind(path)
    if kind == "folder" and files.kind(path / run_folder.INFO) == "file":
        return False
    if kind == "folder" and files.kind(path / SAVED_MODEL) == "file":
        return True
    if kind == "file" and path.suffix.lower() in KERAS_SUFFIXES:
        return True
    raise UsageError(
        f"{path} is not a run folder (no {run_folder.INFO} in it), nor a Keras file ({', '.join(KERAS_SUFFIXES)}) or a "
        f"SavedModel (no {SAVED_MODEL} in it): make a run with 'fer-train fit', or give one of those"
    )
