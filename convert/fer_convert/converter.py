"""TensorFlow's converter: a model and a recipe in, a TFLite flatbuffer out."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from fer_convert.compacting import compact
from fer_convert.recipes import Recipe
from fer_edge import files, preprocessing
from fer_edge.errors import FerError
from fer_edge.metadata import InputSpec
from fer_edge.quiet import native_stderr_kept
from fer_train.keras_setup import tf

_OPERATORS = {
    "int8": tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
    "int16": tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
}
# How the converter names operators of TensorFlow that TFLite lacks, and the quantizer those that it cannot quantize.
_LACKING = r"(?:Custom|TF Select) ops: ([\w., ]+)"
_NOT_QUANTIZED = r"not yet supported for op: '?(\w+)"
_LONGEST_REASON = 200


def convert(
    model: Any,
    recipe: Recipe,
    calibration: preprocessing.Pixels,
    spec: InputSpec,
    *,
    ends: str = "int8",
    log: Path,
) -> bytes:
    """Convert a model.

    Args:
        model: From [N, H, W, C] to probabilities: a Keras model, or another TensorFlow module that is called as one.
        recipe: How.
        calibration: [N, H, W] uint8 fitted training faces, for the ranges of the activations.
        spec: The model's input.
        ends: Type of input and output where the recipe is integer, of `recipes.ENDS`. A "uint8" input holds the pixels
            as they are, to one grey level.
        log: Where all that the converter says is written, if it fails.

    Returns:
        A TFLite flatbuffer with a batch of one.

    Raises:
        FerError: The converter refuses the model; the message names the operator at fault and the log.
    """
    # It narrates at length whether it fails or not.
    with native_stderr_kept() as narrated:
        try:
            return _convert(model, recipe, calibration, spec, ends)
        except Exception as error:  # what it cannot convert, it refuses in every way: its own error is not public
            failure, told = error, f"{narrated()}\n{traceback.format_exc()}"
    try:
        files.write_bytes(log, told.encode())
        where = f"the converter's log is {log}"
    except FerError as unwritten:
        where = f"its log is lost: {unwritten}"
    raise FerError(f"{_reason(recipe, told, failure)}; {where}") from failure


def _convert(model: Any, recipe: Recipe, calibration: preprocessing.Pixels, spec: InputSpec, ends: str) -> bytes:
    # A batch fixed to one lets the interpreter plan its memory once and hand the whole graph to XNNPACK.
    shape = tf.TensorSpec([1, spec.height, spec.width, spec.channels], tf.float32)
    serve = tf.function(lambda face: model(face, training=False)).get_concrete_function(shape)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([serve], model)
    if recipe.weights != "float32":
        converter.optimizations = {tf.lite.Optimize.DEFAULT}
    if recipe.sparsity is not None and recipe.weights != "int8":
        # Stored without its zeros. LiteRT cannot load int8 weights that are stored so.
        converter.optimizations = {*converter.optimizations, tf.lite.Optimize.EXPERIMENTAL_SPARSITY}
    if recipe.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if recipe.calibrated:
        converter.target_spec.supported_ops = [_OPERATORS[recipe.activations]]
        # Each grey level then is a step of the input; phone libraries put pixels into a uint8 input as they are.
        shown = _with_all_pixels(calibration) if recipe.integer else calibration
        converter.representative_dataset = lambda: _one_by_one(shown, spec)
    elif recipe.weights == "int8":
        # A scale for each channel of dense weights makes FULLY_CONNECTED version 12, which tflite-runtime 2.14 refuses.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if recipe.integer:
        converter.inference_input_type = converter.inference_output_type = tf.as_dtype(ends)
    return compact(bytes(converter.convert()))


def _with_all_pixels(faces: preprocessing.Pixels) -> preprocessing.Pixels:
    widest = faces[:1].copy()
    widest[0, 0, 0], widest[0, -1, -1] = 0, 255
    return np.concatenate([faces, widest])


def _one_by_one(faces: preprocessing.Pixels, spec: InputSpec) -> Iterator[list[preprocessing.Floats]]:
    for face in faces:
        yield [preprocessing.to_input(face[None], spec)]


def _reason(recipe: Recipe, told: str, failure: Exception) -> str:
    what = f"TensorFlow cannot convert the model to {recipe.name}"
    if found := re.search(_LACKING, told):
        return f"{what}: TFLite has no operator {found.group(1).strip(' ,.')}; put other layers there and train again"
    if found := re.search(_NOT_QUANTIZED, told):
        return f"{what}: its operator {found.group(1)} cannot be quantized so; try another recipe"
    said = " ".join(str(failure).split())[:_LONGEST_REASON] or type(failure).__name__
    return f"{what}: {said}; try another recipe"
