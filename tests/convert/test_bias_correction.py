from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert import bias_correction
from fer_edge import preprocessing
from fer_train import pipeline
from fer_train.keras_setup import keras
from fer_train.run_folder import RunFolder


@pytest.fixture(scope="module")
def faces(plain_run: Path) -> preprocessing.Floats:
    run = RunFolder(plain_run)
    return preprocessing.to_input(pipeline.fitted(run.calibration(), run.info.input), run.info.input)


def test_kernels_are_rounded_to_the_steps_of_each_channel() -> None:
    kernel = np.array([[1.27, -0.4], [0.004, 0.1], [-0.016, 0.0]], np.float32)
    rounded = bias_correction.rounded(kernel, (1,))
    np.testing.assert_allclose(rounded[:, 0], [1.27, 0.0, -0.02], atol=1e-6)
    np.testing.assert_allclose(rounded[:, 1], [-0.4, 0.1008, 0.0], atol=1e-4)
    np.testing.assert_array_equal(bias_correction.rounded(np.zeros((3, 3, 2, 4), np.float32), (3,)), 0)


def test_a_channel_that_hardly_varies_is_given_back() -> None:
    # Large weights that cancel each other on a nearly constant input, as batch normalization leaves them.
    inputs = np.random.default_rng(1).normal(6, 0.01, (100, 4, 4, 2)).astype(np.float32)
    source = keras.Input((4, 4, 2))
    layer = keras.layers.DepthwiseConv2D(3, use_bias=False, name="near-constant")
    norm = keras.layers.BatchNormalization(epsilon=1e-5)
    model = keras.Model(source, keras.layers.ReLU(6)(norm(layer(source))))
    kernel = np.random.default_rng(2).normal(0, 20, (3, 3, 2, 1)).astype(np.float32)
    layer.set_weights([kernel - kernel.mean(axis=(0, 1))])
    output = layer(inputs).numpy()
    # gamma, beta, mean, variance
    norm.set_weights([np.ones(2), np.ones(2), output.mean(axis=(0, 1, 2)), output.var(axis=(0, 1, 2))])
    wanted = model.predict(inputs, verbose=0)

    def rounded(one: keras.Model) -> float:
        copy = keras.models.clone_model(one)
        weights = one.get_weights()
        copy.set_weights([bias_correction.rounded(weights[0], (2, 3)), *weights[1:]])
        return float(np.abs(copy.predict(inputs, verbose=0) - wanted).mean())

    corrected = bias_correction.corrected(model, inputs)
    assert rounded(corrected) < rounded(model) / 10
    # The weights themselves are the converter's to round, and the model is as it was.
    np.testing.assert_array_equal(corrected.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(model.predict(inputs, verbose=0), wanted)


def test_every_layer_of_a_network_is_corrected(plain_run: Path, faces: preprocessing.Floats) -> None:
    model = RunFolder(plain_run).model()
    corrected = bias_correction.corrected(model, faces)
    changed = [not np.array_equal(*both) for both in zip(model.get_weights(), corrected.get_weights(), strict=True)]
    names = [weight.name for weight in model.weights]
    # Of the convolutions the running means that follow, of the dense layers the biases.
    kernels = sum(name.endswith("kernel:0") for name in names)
    assert sum(changed) == kernels == 5
    assert all(name.endswith(("moving_mean:0", "bias:0")) for name, one in zip(names, changed, strict=True) if one)
    assert np.abs(corrected.predict(faces, verbose=0) - model.predict(faces, verbose=0)).max() < 0.05


def test_each_layer_makes_up_for_those_before(faces: preprocessing.Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    # Rounded to five steps, so that there is much to correct.
    monkeypatch.setattr(bias_correction, "_LARGEST", 2)
    keras.utils.set_random_seed(1)
    source = keras.Input(faces.shape[1:])
    x = source
    for _ in range(3):
        x = keras.layers.BatchNormalization()(keras.layers.Conv2D(8, 3, use_bias=False)(x))
    model = keras.Model(source, keras.layers.GlobalAveragePooling2D()(x))

    def averages(one: Any) -> Any:
        copy = keras.models.clone_model(one)
        copy.set_weights(one.get_weights())
        for layer in copy.layers:
            if isinstance(layer, keras.layers.Conv2D):
                layer.set_weights([bias_correction.rounded(layer.get_weights()[0], (3,))])
        return copy.predict(faces[:100], verbose=0).mean(axis=0)

    wanted = model.predict(faces[:100], verbose=0).mean(axis=0)
    assert np.abs(averages(model) - wanted).max() > 0.01
    np.testing.assert_allclose(averages(bias_correction.corrected(model, faces)), wanted, atol=1e-4)


def test_a_model_of_plain_operations_is_left_alone() -> None:
    source = keras.Input((8, 8, 1))
    model = keras.Model(source, keras.layers.Conv2D(2, 3)(source * 2.0))
    assert bias_correction.corrected(model, np.zeros((2, 8, 8, 1), np.float32)) is model
