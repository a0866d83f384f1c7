"""From faces to probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fer_edge import preprocessing
from fer_edge.box import Box
from fer_edge.errors import ModelError
from fer_edge.interpreter import Interpreter
from fer_edge.metadata import ModelMetadata, read_model


class Classifier:
    """A model file made ready to name expressions.

    Example:
        >>> classifier = Classifier.load(Path("models/mine-int8.tflite"))
        >>> classifier.classify(gray, Box(120, 80, 200, 200))
        {'angry': 0.0, 'disgust': 0.0, 'fear': 0.0, 'happy': 0.97, ...}

    Attributes:
        metadata: The model's own description.
        interpreter: What runs it.
    """

    def __init__(
        self,
        model: bytes,
        metadata: ModelMetadata,
        *,
        threads: int | None = None,
        runtime: str | None = None,
        portable: bool = False,
    ):
        """Load a model; see `load` for files.

        Raises:
            ModelError: The interpreter is too old for it or does not take it, or its shapes contradict its description.
        """
        self.metadata = metadata
        self.interpreter = Interpreter(
            model, minimum=metadata.minimum_runtime, threads=threads, runtime=runtime, portable=portable
        )
        spec, tensors = metadata.input, self.interpreter
        expected = (1, spec.height, spec.width, spec.channels)
        if tensors.input.shape != expected or tensors.output.shape != (1, len(metadata.labels)):
            raise ModelError(
                f"{metadata.name}: the model takes {tensors.input.shape} and gives {tensors.output.shape}, "
                f"its metadata says {expected} and {(1, len(metadata.labels))}; convert the run again"
            )
        # A pixel has 256 values: scaling and quantising them is one look-up, without a float picture in between.
        self._stored_pixels = tensors.input.quantize(preprocessing.pixel_values(spec))

    @classmethod
    def load(
        cls, path: Path, *, threads: int | None = None, runtime: str | None = None, portable: bool = False
    ) -> Classifier:
        """Load a model file.

        Args:
            path: A `.tflite` with our metadata.
            threads: See `Interpreter`.
            runtime: See `Interpreter`.
            portable: See `Interpreter`.

        Raises:
            FerError: The file cannot be read, or no interpreter can be imported.
            ModelError: The file is not one of ours, is damaged, or the interpreter does not take it.
        """
        model, metadata = read_model(path)
        try:
            return cls(model, metadata, threads=threads, runtime=runtime, portable=portable)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error

    def prepare(self, face: preprocessing.Pixels) -> npt.NDArray[np.generic]:
        """Turn one fitted face into the model's stored input.

        Args:
            face: [height, width] uint8, from `preprocessing.fit_face` or `face_pixels`.

        Returns:
            [1, height, width, channels] in the input's type.
        """
        stored = self._stored_pixels[face][np.newaxis, ..., np.newaxis]
        channels = self.metadata.input.channels
        return stored if channels == 1 else np.repeat(stored, channels, axis=-1)

    def probabilities(self, face: preprocessing.Pixels) -> npt.NDArray[np.float32]:
        """Classify one fitted face.

        Args:
            face: [height, width] uint8, from `preprocessing.fit_face` or `face_pixels`.

        Returns:
            [labels] float32 in 0..1 that sum to 1. A quantised softmax has steps of 1/256, whose sum may miss 1 by a
            few steps; it is divided out.

        Raises:
            ModelError: The model gives no distribution (all zero, or not finite).
        """
        raw = self.interpreter.output.dequantize(self.interpreter.run(self.prepare(face)))[0]
        total = float(raw.sum())
        if not 0 < total < np.inf:
            raise ModelError(f"{self.metadata.name} gives probabilities that sum to {total}: its weights are damaged")
        return np.asarray(raw / np.float32(total), np.float32)

    def classify(self, gray: preprocessing.Pixels, box: Box) -> dict[str, float]:
        """Name the expression of one face in a picture.

        Args:
            gray: [H, W] uint8.
            box: The face, pixels.

        Returns:
            Label to probability 0..1, in the model's order, summing to 1.
        """
        probabilities = self.probabilities(preprocessing.face_pixels(gray, box, self.metadata.input))
        return dict(zip(self.metadata.labels, probabilities.tolist(), strict=True))
