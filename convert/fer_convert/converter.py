"""TensorFlow's converter: a Keras model and a recipe in, a TFLite flatbuffer out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fer_convert.recipes import Recipe
from fer_edge import preprocessing
from fer_edge.errors import FerError
from fer_edge.metadata import InputSpec
from fer_edge.quiet import native_stderr_hidden
from fer_train.keras_setup import tf

_OPERATORS = {
    "int8": tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
    "int16": tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
}


def convert(
    model: Any, recipe: Recipe, calibration: preprocessing.Pixels, spec: InputSpec, *, ends: str = "int8"
) -> bytes:
    """Convert a Keras model.

    Args:
        model: From [N, H, W, C] to probabilities.
        recipe: How.
        calibration: [N, H, W] uint8 fitted training faces, for the ranges of the activations.
        spec: The model's input.
        ends: Type of input and output where the recipe is integer, of `recipes.ENDS`.

    Returns:
        A TFLite flatbuffer with a batch of one.

    Raises:
        FerError: The converter refuses the model.
    """
    # A batch fixed to one lets the interpreter plan its memory once and hand the whole graph to XNNPACK.
    shape = tf.TensorSpec([1, spec.height, spec.width, spec.channels], tf.float32)
    serve = tf.function(lambda face: model(face, training=False)).get_concrete_function(shape)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([serve], model)
    if recipe.weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if recipe.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if recipe.activations != "float32":
        converter.target_spec.supported_ops = [_OPERATORS[recipe.activations]]
        converter.representative_dataset = lambda: _one_by_one(calibration, spec)
    elif recipe.weights == "int8":
        # A scale for each channel of dense weights makes FULLY_CONNECTED version 12, which tflite-runtime 2.14 refuses.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if recipe.integer:
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(ends)
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
