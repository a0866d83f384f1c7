from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_convert import qat
from fer_edge import preprocessing
from fer_edge.errors import FerError
from fer_train import architectures, pipeline
from fer_train.architectures import Plan
from fer_train.keras_setup import keras
from fer_train.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(tiny_run: Path) -> RunFolder:
    return RunFolder(tiny_run)


@pytest.fixture(scope="module")
def model(run: RunFolder) -> Any:
    return run.model()


@pytest.fixture(scope="module")
def faces(run: RunFolder) -> preprocessing.Floats:
    return preprocessing.to_input(pipeline.fitted(run.calibration(), run.info.input), run.info.input)


def test_even_depthwise_kernels_are_the_same_function(model: Any, faces: preprocessing.Floats) -> None:
    before = model.get_weights()
    even = qat._with_even_depthwise_kernels(model)
    assert np.abs(even.predict(faces, verbose=0) - model.predict(faces, verbose=0)).max() < 1e-4
    kernels = [layer.get_weights()[0] for layer in even.layers if isinstance(layer, keras.layers.DepthwiseConv2D)]
    assert len(kernels) == 17
    for kernel in kernels:
        largest = np.abs(kernel).max(axis=(0, 1, 3))
        assert np.all((largest == 0) | (np.abs(largest - 1) < 1e-6))
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_settled_ranges_bring_the_rounded_model_near_the_float_one(plain_run: Path) -> None:
    from tensorflow_model_optimization.quantization.keras import quantize_model

    run = RunFolder(plain_run)
    model = run.model()
    faces = preprocessing.to_input(pipeline.fitted(run.calibration(), run.info.input), run.info.input)
    # Without the temperature of a run that hardly learned anything, which makes all its answers alike.
    scores, confidence = model.get_layer("scores"), run.info.confidence
    assert confidence is not None
    scores.set_weights([weight * confidence.temperature for weight in scores.get_weights()])
    wanted = model.predict(faces, verbose=0)
    aware = quantize_model(qat._with_even_depthwise_kernels(model))
    raw = np.abs(aware.predict(faces, verbose=0) - wanted).mean()
    statistics = [weight.numpy() for weight in aware.weights if "moving_" in weight.name]
    qat._settle_ranges(aware, faces)
    settled = np.abs(aware.predict(faces, verbose=0) - wanted).mean()
    assert settled < raw / 2
    # Only ranges were to move.
    after = [weight.numpy() for weight in aware.weights if "moving_" in weight.name]
    assert all(np.array_equal(a, b) for a, b in zip(statistics, after, strict=True))


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("name", ["cnn-2", "complex-cnn-1", "complex-cnn-2", "gelu-cnn"])
def test_architectures_that_can_be_rounded_in_training(name: str, pruned: bool) -> None:
    size = architectures.REGISTRY.load(name).SMALLEST_INPUT
    plan = Plan(size, architectures.REGISTRY.load(name).CHANNELS[0], 3, dropout=0.1, batch_norm=True)
    model = architectures.build(name, plan)
    aware = qat.rounding(model, pruned=pruned)
    assert aware.output_shape == (None, 3)
    # What adds noise in training has nothing to round.
    assert not [layer for layer in aware.layers if "gaussian_noise" in layer.name and "Noise" in type(layer).__name__]


@pytest.mark.parametrize("pruned", [False, True])
def test_a_layer_that_cannot_is_named(pruned: bool) -> None:
    source = keras.Input((8, 8, 1))
    norm = keras.layers.BatchNormalization(name="lonely")
    model = keras.Model(source, keras.layers.Conv2D(2, 3)(norm(source)))
    with pytest.raises(FerError) as caught:
        qat.rounding(model, pruned=pruned)
    assert str(caught.value) == (
        "quantization-aware training does not support the layer lonely (BatchNormalization): take --int8, which needs "
        "no training"
    )
    source = keras.Input((8, 8, 1))
    model = keras.Model(source, keras.layers.Conv2D(2, 3)(keras.layers.Rescaling(0.5, name="scaled")(source)))
    with pytest.raises(FerError, match=r"does not support (the|a) layer .*Rescaling"):
        qat.rounding(model, pruned=pruned)


def test_rounding_is_all_that_is_left_to_learn() -> None:
    source = keras.Input((8, 8, 1))
    x = keras.layers.BatchNormalization(momentum=0.5)(keras.layers.Conv2D(4, 3, use_bias=False)(source))
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(keras.layers.ReLU()(x)))
    aware = qat.rounding(keras.Model(source, keras.layers.Dense(2, activation="softmax")(x)), pruned=False)
    assert [layer.layer.rate for layer in aware.layers if "dropout" in layer.name] == [0.0]
    statistics = [weight for weight in aware.weights if "moving_" in weight.name]
    kernels = [weight for weight in aware.trainable_weights if "kernel:0" in weight.name]
    before, kernels_before = ([weight.numpy() for weight in group] for group in (statistics, kernels))
    aware.compile("adam", "categorical_crossentropy")
    random = np.random.default_rng(1)
    inputs, targets = random.normal(3, 1, (32, 8, 8, 1)), np.eye(2)[random.integers(0, 2, 32)]
    aware.fit(inputs, targets, verbose=0, callbacks=[qat.KeepStatistics()])
    assert len(statistics) == len(kernels) == 2
    for weight, value in zip(statistics, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    assert all(np.abs(w.numpy() - v).max() > 0 for w, v in zip(kernels, kernels_before, strict=True))
