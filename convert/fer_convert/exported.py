"""A SavedModel, used by its serving signature alone: no Python code of its authors is needed or run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_convert.foreign import reason
from fer_edge import preprocessing
from fer_edge.errors import ModelError
from fer_train.keras_setup import tf

_SIGNATURE = "serving_default"


class Exported(tf.Module):  # type: ignore[misc]  # TensorFlow ships no types
    """A SavedModel with the few methods of a Keras model that a conversion needs.

    Attributes:
        input: Shape and type of its input.
        classes: Numbers that it gives for a face; None where it does not say.
    """

    def __init__(self, path: Path) -> None:
        """Load a SavedModel.

        Args:
            path: Its folder.

        Raises:
            ModelError: It cannot be read, or its signature is not from one input to one output.
        """
        super().__init__()
        try:
            self._loaded = tf.saved_model.load(str(path))
        except Exception as error:  # a foreign file fails in every way
            raise ModelError(
                f"{path} cannot be loaded as a SavedModel: {reason(error)}; export the model again"
            ) from error
        signatures = dict(self._loaded.signatures)
        if _SIGNATURE not in signatures and len(signatures) != 1:
            raise ModelError(
                f"{path} has no signature {_SIGNATURE} (it has {', '.join(signatures) or 'none'}): export it with one, "
                "as Keras' model.export(FOLDER) does"
            )
        self._serve = signatures.get(_SIGNATURE) or next(iter(signatures.values()))
        inputs, outputs = self._serve.structured_input_signature[1], self._serve.structured_outputs
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{path} has {len(inputs)} inputs and {len(outputs)} outputs: one of each is needed")
        ((self._input_name, self.input),), (self._output_name,) = inputs.items(), outputs
        shape = outputs[self._output_name].shape
        self.classes = shape[-1] if shape.rank == 2 else None
        self._last = tf.identity

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        """Give the output for a tensor [N, H, W, C]; it is always that of inference."""
        given = self._serve(**{self._input_name: inputs})[self._output_name]
        return self._last(given)

    def append_softmax(self) -> None:
        """Put a softmax behind it."""
        self._last = tf.nn.softmax

    def predict_on_batch(self, inputs: preprocessing.Floats) -> npt.NDArray[np.float32]:
        """Give the outputs for [N, H, W, C]: [N, classes]."""
        # A signature may be fixed to one face at a time.
        size = self.input.shape[0] or len(inputs)
        batches = [inputs[start : start + size] for start in range(0, len(inputs), size)]
        return np.concatenate([self(tf.constant(batch)).numpy() for batch in batches])

    def get_weights(self) -> list[npt.NDArray[Any]]:
        """Give the values of all variables that are real numbers."""
        return [variable.numpy() for variable in self._serve.variables if variable.dtype.is_floating]

    def count_params(self) -> int:
        """Count the weights: variables or, in a frozen graph that has none, constants."""
        if weights := self.get_weights():
            return sum(weight.size for weight in weights)
        graph = self._serve.graph.as_graph_def()
        nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
        constants = [node.attr["value"].tensor for node in nodes if node.op == "Const"]
        return sum(
            int(np.prod([side.size for side in constant.tensor_shape.dim], dtype=np.int64))
            for constant in constants
            if tf.as_dtype(constant.dtype).is_floating
        )
