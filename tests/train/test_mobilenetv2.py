from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import UsageError
from fer_train import architectures
from fer_train.architectures import Plan, mobilenetv2
from fer_train.keras_setup import keras

PLAN = Plan(input_size=48, channels=3, classes=7, alpha=0.35)


def grey(faces: Any) -> Any:
    return faces[..., np.newaxis].astype(np.float32) * mobilenetv2.INPUT_SCALE + mobilenetv2.INPUT_OFFSET


def head(model: Any) -> list[Any]:
    return [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]


def test_grey_weights_are_the_same_network(imagenet_weights: Path, mini_faces: dict[str, tuple[Any, Any]]) -> None:
    plan = replace(PLAN, weights=str(imagenet_weights))
    coloured, gray = (
        architectures.build("mobilenetv2", plan),
        architectures.build("mobilenetv2", replace(plan, channels=1)),
    )
    for ours, theirs in zip(head(gray), head(coloured), strict=True):
        ours.set_weights(theirs.get_weights())
    faces = grey(mini_faces["public"][0])
    expected = coloured.predict(np.repeat(faces, 3, axis=-1), verbose=0)
    found = gray.predict(faces, verbose=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # Faces make a difference to it, or equality would say little.
    assert np.ptp(expected, axis=0).max() > 1e-2
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-5)
    assert gray.count_params() == coloured.count_params() - 2 * 3 * 3 * 16


def test_weights_from_a_file_are_those_of_keras(imagenet_weights: Path) -> None:
    built = architectures.build("mobilenetv2", replace(PLAN, weights=str(imagenet_weights)))
    original = keras.applications.MobileNetV2(
        input_shape=(48, 48, 3), alpha=0.35, include_top=False, weights=str(imagenet_weights)
    )
    for layer in original.layers[1:]:  # all but the input, whose name is a number
        for ours, theirs in zip(built.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    unlike = architectures.build("mobilenetv2", PLAN).get_layer("Conv1").get_weights()[0]
    assert not np.array_equal(built.get_layer("Conv1").get_weights()[0], unlike)


@pytest.mark.parametrize(
    ("size", "channels", "units"), [(32, 1, ()), (48, 3, (5,)), (96, 1, (128, 64)), (33, 3, (8, 4, 2))]
)
def test_it_is_built_to_plan(size: int, channels: int, units: tuple[int, ...]) -> None:
    model = architectures.build("mobilenetv2", replace(PLAN, input_size=size, channels=channels, head=units, classes=5))
    assert model.input_shape == (None, size, size, channels)
    assert model.output_shape == (None, 5)
    assert [layer.units for layer in head(model)] == [*units, 5]
    faces = np.random.default_rng(0).uniform(-1, 1, (3, size, size, channels)).astype(np.float32)
    rows = model.predict(faces, verbose=0)
    np.testing.assert_allclose(rows.sum(axis=1), 1, atol=1e-5)
    assert rows.min() >= 0


def test_dropout_stands_before_the_head_where_wanted() -> None:
    def rates(dropout: float) -> list[float]:
        model = architectures.build("mobilenetv2", replace(PLAN, dropout=dropout))
        return [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]

    assert rates(0.25) == [0.25]
    assert rates(0.0) == []


def test_averages_follow_a_short_training() -> None:
    norms = [
        x for x in architectures.build("mobilenetv2", PLAN).layers if isinstance(x, keras.layers.BatchNormalization)
    ]
    assert norms
    assert {layer.momentum for layer in norms} == {mobilenetv2.BATCH_NORM_MOMENTUM}


def weights_file(kind: str, folder: Path, imagenet: Path) -> str:
    path = folder / "weights.h5"
    if kind == "text":
        path.write_text("no weights")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(imagenet.read_bytes()[:100_000])
    elif kind == "folder":
        path.mkdir()
    return str(imagenet) if kind == "good" else str(path)


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("missing", {}, "no weights at .*: give 'imagenet', 'none' or an .h5 file"),
        ("folder", {}, "no weights at .*: give 'imagenet', 'none' or an .h5 file"),
        ("text", {}, "mobilenetv2 at alpha 0.35 cannot take the weights .*weights.h5: "),
        ("empty", {}, "mobilenetv2 at alpha 0.35 cannot take the weights .*weights.h5: "),
        ("cut", {}, "mobilenetv2 at alpha 0.35 cannot take the weights .*weights.h5: "),
        ("good", {"alpha": 0.5}, "mobilenetv2 at alpha 0.5 cannot take the weights .*: .*[Ss]hape"),
        ("good", {"alpha": 0.5, "channels": 1}, "mobilenetv2 at alpha 0.5 cannot take the weights .*: .*[Ss]hape"),
        ("good", {"input_size": 31}, "mobilenetv2 needs an input of at least 32 pixels, not 31"),
    ],
)
def test_plans_that_cannot_be_built_are_told(
    kind: str, changes: dict[str, Any], reason: str, imagenet_weights: Path, tmp_path: Path
) -> None:
    weights = weights_file(kind, tmp_path, imagenet_weights)
    with pytest.raises(UsageError, match=reason) as caught:
        architectures.build("mobilenetv2", replace(PLAN, weights=weights, **changes))
    assert "\n" not in str(caught.value)


def test_imagenet_has_no_weights_for_every_width() -> None:
    with pytest.raises(UsageError, match=r"alpha 0.6 cannot take the weights imagenet"):
        architectures.build("mobilenetv2", replace(PLAN, alpha=0.6, weights="imagenet"))
