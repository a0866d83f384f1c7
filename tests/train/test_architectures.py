from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from tensorflow_model_optimization.sparsity.keras import PruneForLatencyOnXNNPack

from fer_edge.errors import UsageError
from fer_train import architectures
from fer_train.architectures import Plan, _transfer
from fer_train.cli import main
from fer_train.cost import multiply_accumulates
from fer_train.keras_setup import keras

# Parameters at 48 x 48 and 4 classes. The first seven are published; the others are ours, kept from drifting.
COUNTS = {
    "cnn-1": (1, 684_036),
    "cnn-2": (3, 2_765_316),
    "resnet50v2": (3, 25_703_876),
    "efficientnetv2b2": (3, 10_253_090),
    "complex-cnn-1": (1, 1_839_876),
    "complex-cnn-2": (1, 3_412_100),
    "vgg16": (3, 14_788_868),
    "gelu-cnn": (1, 5_149_956),
    "resnet-small": (1, 2_798_500),
    "resnet101v2": (3, 44_765_636),
    "mini-xception": (1, 54_964),
    "mobilenetv2": (3, 2_430_468),
    "mobilenetv2-sparse": (3, 2_430_468),
    "residual-se": (1, 1_561_892),
    "nano": (1, 64_820),
}
BACKBONES = {"resnet50v2", "efficientnetv2b2", "vgg16", "resnet101v2", "mobilenetv2", "mobilenetv2-sparse"}


def test_every_architecture_is_counted() -> None:
    assert set(architectures.REGISTRY.names()) == set(COUNTS)


@pytest.mark.parametrize(("name", "channels", "parameters"), [(name, *counts) for name, counts in COUNTS.items()])
def test_parameters(name: str, channels: int, parameters: int) -> None:
    assert architectures.REGISTRY.load(name).CHANNELS[0] == channels
    model = architectures.build(name, Plan(48, channels, 4))
    assert model.count_params() == parameters
    if name in BACKBONES:
        end = [layer.name for layer in model.layers].index(architectures.backbone_end(name))
        # What can be frozen holds all convolutions, and nothing of the head.
        assert not [x for x in model.layers[: end + 1] if isinstance(x, keras.layers.Dense)]
        assert not [x for x in model.layers[end + 1 :] if isinstance(x, keras.layers.Conv2D)]
    else:
        with pytest.raises(UsageError, match=f"{name} has no backbone to freeze: leave out --freeze-epochs"):
            architectures.backbone_end(name)


def test_mini_xception_is_the_published_one() -> None:
    model = architectures.build("mini-xception", Plan(64, 1, 7))
    assert model.count_params() == 58_423
    # Without padding at first, then halved four times.
    sizes = [layer.output.shape[1] for layer in model.layers if isinstance(layer, keras.layers.Add)]
    assert ([layer.output.shape[1] for layer in model.layers[:2]], sizes) == ([64, 62], [30, 15, 8, 4])


def test_the_backbone_of_vgg16() -> None:
    head = 512 * 128 + 128 + 128 * 64 + 64 + 64 * 4 + 4
    assert COUNTS["vgg16"][1] - head == 14_714_688


@pytest.mark.parametrize(
    "name",
    ["cnn-1", "complex-cnn-1", "complex-cnn-2", "gelu-cnn", "mini-xception", "resnet-small", "residual-se", "nano"],
)
def test_any_number_of_classes_and_size(name: str) -> None:
    model = architectures.build(name, Plan(64, 3, 5, dropout=0.3, l2=1e-4, batch_norm=True))
    probabilities = model.predict(np.random.default_rng(0).random((2, 64, 64, 3), np.float32), verbose=0)
    assert probabilities.shape == (2, 5)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    # The penalty is there: a loss without any target.
    assert len(model.losses) > 0


def test_batch_normalization_by_choice() -> None:
    def norms(plan: Plan) -> int:
        model = architectures.build("gelu-cnn", plan)
        return sum(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers)

    assert (norms(Plan(48, 1, 7)), norms(Plan(48, 1, 7, batch_norm=True))) == (0, 6)


@pytest.mark.parametrize(
    ("name", "plan", "reason"),
    [
        ("resnet", Plan(48, 1, 7), "no architecture is called 'resnet'; there are cnn-1, cnn-2, "),
        ("vgg16", Plan(48, 1, 7), "vgg16 takes 3 channels, not 1"),
        ("complex-cnn-1", Plan(24, 1, 7), "complex-cnn-1 needs an input of at least 32 pixels, not 24"),
        ("cnn-1", Plan(48, 1, 7, weights="imagenet"), "cnn-1 has no backbone to load weights into"),
        ("resnet50v2", Plan(48, 3, 7, weights="absent.h5"), "no weights at absent.h5: give 'imagenet', "),
    ],
)
def test_plans_that_cannot_be_built_are_told(name: str, plan: Plan, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        architectures.build(name, plan)


def test_multiply_accumulates_of_a_network_counted_by_hand() -> None:
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(5, use_bias=False)(keras.layers.Flatten()(x)))
    assert multiply_accumulates(model) == 8 * 8 * 4 * 3 * 3 * 3 + 8 * 8 * 4 * 5


@pytest.mark.parametrize(
    "names", [["cnn-1", "mobilenetv2"], pytest.param(sorted(COUNTS), marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_the_command_lists_them(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Counting the operations of the large ones takes seconds each.
    monkeypatch.setattr(architectures.REGISTRY, "names", lambda: names)
    result = CliRunner().invoke(main, ["architectures", "--classes", "4"])
    assert result.exit_code == 0, result.output
    rows = {line.split()[0]: line for line in result.stdout.splitlines()[2:]}
    assert list(rows) == names
    for name, row in rows.items():
        assert f" {COUNTS[name][1]:,} " in row


def test_mobilenetv2_for_sparse_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = architectures.build("mobilenetv2", Plan(96, 3, 7))
    backbone = keras.Model(plain.input, plain.get_layer(architectures.backbone_end("mobilenetv2")).output)
    monkeypatch.setattr(_transfer, "backbone", lambda *_, **__: backbone)
    sparse = architectures.build("mobilenetv2-sparse", Plan(96, 3, 7))
    # TFMOT's own test of what XNNPACK runs sparse; it raises where something does not fit.
    PruneForLatencyOnXNNPack().ensure_model_supports_pruning(sparse)
    with pytest.raises(ValueError, match="Could not find `Conv2D 3x3` layer"):
        PruneForLatencyOnXNNPack().ensure_model_supports_pruning(plain)
    # The backbone's weights are in it, and the first convolution sees the same picture a pixel further.
    for layer in backbone.layers:
        for theirs, ours in zip(layer.get_weights(), sparse.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(theirs, ours)
    picture = np.random.default_rng(0).random((1, 96, 96, 3), np.float32)
    near, far = (keras.Model(model.input, model.get_layer("Conv1").output) for model in (plain, sparse))
    moved = np.roll(picture, (-1, -1), axis=(1, 2))
    inner = (slice(None), slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(near.predict(picture, verbose=0)[inner], far.predict(moved, verbose=0)[inner], atol=1e-5)
