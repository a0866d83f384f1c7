"""Foreign models, opened: Keras 2 and Keras 3 files, SavedModel folders."""

from __future__ import annotations

import json
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from fer_convert import keras_3
from fer_convert.exported import Exported
from fer_convert.foreign import reason
from fer_edge.errors import ModelError
from fer_edge.quiet import native_stderr_hidden
from fer_train.keras_setup import keras, tf


@dataclass(frozen=True)
class Loaded:
    """A foreign model.

    Attributes:
        model: A Keras 2 model, or an `Exported`; from [N, H, W, C] to [N, classes].
        kind: For people: "Keras 2 model", "Keras 3 model", "SavedModel".
        architecture: The name that a Keras model gives itself, else "unknown".
        shape: Height, width and channels of its input.
        classes: Numbers that it gives for a face.
    """

    model: Any
    kind: str
    architecture: str
    shape: tuple[int, int, int]
    classes: int


class _NoLambda(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Stands for the Lambda layers of HDF5 files, whose loading would run code out of the file."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Refuse."""
        raise ValueError(f"its Lambda layer {config.get('name')} is Python code, which is not run")


def load(path: Path) -> Loaded:
    """Open a foreign model.

    Args:
        path: A Keras file or a SavedModel folder.

    Raises:
        ModelError: It cannot be read, or is not from one picture to a number for each class.
    """
    with native_stderr_hidden():  # both Kerases warn of what does not concern inference
        if path.is_dir():
            return _exported(path, path, "SavedModel", "unknown")
        if _keras_version(path).startswith("3"):
            with tempfile.TemporaryDirectory() as folder:
                name = keras_3.export(path, Path(folder))
                return _exported(Path(folder), path, "Keras 3 model", name)
        return _keras_2(path)


def with_softmax(model: Any) -> Any:
    """Give a loaded model that ends before the softmax a softmax as its end."""
    if isinstance(model, Exported):
        model.append_softmax()
        return model
    return keras.Model(model.inputs, keras.layers.Softmax()(model.outputs[0]), name=model.name)


def _keras_version(path: Path) -> str:
    """Read which Keras wrote a file; empty where it does not say."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return str(json.loads(archive.read("metadata.json")).get("keras_version", ""))
        with h5py.File(path) as file:
            return str(file.attrs.get("keras_version", ""))
    except (OSError, AttributeError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path} is not a Keras file, or is damaged: {reason(error)}") from error


def _keras_2(path: Path) -> Loaded:
    try:
        model = keras.models.load_model(path, compile=False, custom_objects={"Lambda": _NoLambda})
    except Exception as error:  # a foreign file fails in every way
        raise ModelError(
            f"{path} cannot be loaded by Keras 2: {reason(error)}; where it can be loaded, export it with "
            "model.export(FOLDER), which needs no code of its layers, and convert FOLDER"
        ) from error
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(f"{path} has {len(inputs)} inputs and {len(outputs)} outputs: one of each is needed")
    classes = outputs[0].shape[-1] if outputs[0].shape.rank == 2 else None
    return Loaded(model, "Keras 2 model", model.name, *_sizes(path, inputs[0].shape, inputs[0].dtype, classes))


def _exported(folder: Path, path: Path, kind: str, name: str) -> Loaded:
    model = Exported(folder)
    return Loaded(model, kind, name, *_sizes(path, model.input.shape, model.input.dtype, model.classes))


def _sizes(path: Path, shape: Any, dtype: Any, classes: int | None) -> tuple[tuple[int, int, int], int]:
    sizes = shape.as_list() if shape.rank is not None else []
    if (
        dtype != tf.float32
        or len(sizes) != 4
        or None in sizes[1:]
        or sizes[0] not in (None, 1)
        or sizes[3] not in (1, 3)
    ):
        raise ModelError(
            f"{path} takes {dtype.name} {sizes}: a model for faces takes float32 [None, height, width, 1 or 3], with "
            "a height and a width"
        )
    if classes is None:
        raise ModelError(f"{path} does not say that it gives [None, labels]: a number for each expression")
    return (sizes[1], sizes[2], sizes[3]), classes
