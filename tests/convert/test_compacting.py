from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from fer_convert import flatbuffer
from fer_convert.compacting import compact
from fer_train.keras_setup import tf
from fer_train.run_folder import RunFolder

# TensorFlow's converter wonders that the ends of the model stay float.
pytestmark = pytest.mark.filterwarnings("ignore:Statistics for quantized inputs were expected:UserWarning")


@pytest.fixture(scope="module")
def as_converted(tiny_run: Path) -> bytes:
    """Give an integer MobileNetV2 as TensorFlow writes it."""
    model = RunFolder(tiny_run).model()
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = {tf.lite.Optimize.DEFAULT}
    random = np.random.default_rng(1)
    shape = (1, *model.input_shape[1:])
    converter.representative_dataset = lambda: ([random.uniform(-1, 1, shape).astype(np.float32)] for _ in range(4))
    return bytes(converter.convert())


def answers(model: bytes) -> list[np.ndarray]:
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    given, said = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    random, rows = np.random.default_rng(2), []
    for _ in range(3):
        interpreter.set_tensor(given["index"], random.uniform(-1, 1, given["shape"]).astype(np.float32))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(said["index"]))
    return rows


@pytest.mark.slow
def test_it_says_the_same_in_fewer_bytes(as_converted: bytes) -> None:
    small = compact(as_converted)
    assert len(small) < 0.95 * len(as_converted)
    np.testing.assert_array_equal(answers(small), answers(as_converted))
    assert flatbuffer.layers(small) == flatbuffer.layers(as_converted)
    assert flatbuffer.tensors(small) == flatbuffer.tensors(as_converted)
    assert flatbuffer.minimum_runtime(small) == flatbuffer.minimum_runtime(as_converted)


@pytest.mark.slow
def test_equal_files_give_equal_bytes(as_converted: bytes) -> None:
    small = compact(as_converted)
    assert compact(as_converted) == small
    assert len(compact(small)) == len(small)
