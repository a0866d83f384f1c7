"""The ways to convert a model. A recipe is data with a name, and the name ends the file's name: `x-int8.tflite`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fer_edge import preprocessing
from fer_edge.errors import FerError
from fer_edge.metadata import InputSpec
from fer_edge.quiet import native_stderr_hidden
from fer_train.keras_setup import tf


@dataclass(frozen=True)
class Recipe:
    """A named way to convert.

    Attributes:
        name: As in the file's name and the model's metadata.
        trained: Fine-tuned with quantization in the loop before (quantization-aware training).
        integer: All weights and activations int8, input and output too; scales per channel for weights, calibrated on
            training faces for activations (https://ai.google.dev/edge/litert/models/quantization_spec).
    """

    name: str
    integer: bool
    trained: bool


RECIPES = (
    Recipe("fp32", integer=False, trained=False),
    Recipe("int8", integer=True, trained=False),
    Recipe("qat-int8", integer=True, trained=True),
)


def convert(model: Any, recipe: Recipe, calibration: preprocessing.Pixels, spec: InputSpec) -> bytes:
    """Convert a Keras model.

    Args:
        model: From [N, H, W, C] to probabilities.
        recipe: How.
        calibration: [N, H, W] uint8 fitted training faces, for the ranges of the activations.
        spec: The model's input.

    Returns:
        A TFLite flatbuffer with a batch of one.

    Raises:
        FerError: The converter refuses the model.
    """
    # A batch fixed to one lets the interpreter plan its memory once and hand the whole graph to XNNPACK.
    shape = tf.TensorSpec([1, spec.height, spec.width, spec.channels], tf.float32)
    serve = tf.function(lambda face: model(face, training=False)).get_concrete_function(shape)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([serve], model)
    if recipe.integer:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
        converter.representative_dataset = lambda: _one_by_one(calibration, spec)
    try:
        with native_stderr_hidden():  # the converter narrates
            return bytes(converter.convert())
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise FerError(f"TensorFlow cannot convert the model to {recipe.name}: {error}") from error
    except Exception as error:  # the converter's own error type is not public
        if type(error).__name__ != "ConverterError":
            raise
        raise FerError(f"TensorFlow cannot convert the model to {recipe.name}: {error}") from error


def _one_by_one(faces: preprocessing.Pixels, spec: InputSpec) -> Iterator[list[preprocessing.Floats]]:
    for face in faces:
        yield [preprocessing.to_input(face[None], spec)]


def minimum_runtime(flatbuffer: bytes) -> str:
    """Read the lowest TFLite release that runs every operator of a model, as the converter wrote it into the file."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    for entry in model.metadata or []:
        if entry.name == b"min_runtime_version":
            return bytes(model.buffers[entry.buffer].data).rstrip(b"\0").decode()
    raise FerError("the converter wrote no min_runtime_version into the model")
