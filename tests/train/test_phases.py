"""A backbone that stands still first, and is trained from a block on afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_edge.errors import UsageError
from fer_edge.metadata import InputSpec
from fer_train import fitting, phases, training
from fer_train.cli import main
from fer_train.datasets import Dataset
from fer_train.keras_setup import keras
from fer_train.phases import Phase
from fer_train.settings import FitSettings

Weights = dict[str, list[Any]]
SPEC = InputSpec(height=32, width=32, channels=3, color="rgb", scale=1 / 127.5, offset=-1.0, face_size=None)
BACKBONE = 154  # layers of MobileNetV2 without its pooling


@dataclass
class Trained:
    """What a training of two phases went through: an epoch with the backbone frozen, two with its end trained.

    Attributes:
        weights: Of each layer that has any, after each epoch.
        course: Its course.
        at_two: What its folder held after the second epoch.
    """

    weights: list[Weights]
    course: fitting.Course
    at_two: Path


def of_layers(model: Any) -> Weights:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def equal(some: list[Any], others: list[Any]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(some, others, strict=True))


@pytest.fixture(scope="module")
def wanted(imagenet_weights: Path, small_settings: Callable[..., FitSettings]) -> FitSettings:
    return small_settings(
        arch="mobilenetv2",
        input_size=32,
        channels=3,
        alpha=0.35,
        weights=str(imagenet_weights),
        epochs=3,
        freeze_epochs=1,
        fine_tune_from="block_16",
        fine_tune_learning_rate=1e-4,
        batch_size=35,
        dropout=0.1,
    )


@pytest.fixture(scope="module")
def trained(wanted: FitSettings, few: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("phases")
    model = training.build(wanted, len(few.labels))
    after: list[Weights] = []

    def look(_line: str) -> None:
        after.append(of_layers(model))
        if len(after) == 2:
            shutil.copytree(folder / "run", folder / "at_two")

    (folder / "run").mkdir()
    course = fitting.fit_model(model, wanted, few, SPEC, fitting.Setting(folder / "run", say=look))
    return Trained(after, course, folder / "at_two")


def test_a_frozen_backbone_is_that_of_the_file(trained: Trained, imagenet_weights: Path) -> None:
    original = of_layers(
        keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, include_top=False, weights=str(imagenet_weights))
    )
    assert len(original) == 104
    assert [name for name, weights in original.items() if not equal(trained.weights[0][name], weights)] == []
    assert set(trained.weights[0]) - set(original) == {"scores"}


def test_only_the_blocks_asked_for_are_trained_afterwards(trained: Trained) -> None:
    first, last = trained.weights[0], trained.weights[2]
    changed = [name for name in first if not equal(first[name], last[name])]
    assert changed == [
        *("block_16_expand", "block_16_expand_BN", "block_16_depthwise", "block_16_depthwise_BN"),
        *("block_16_project", "block_16_project_BN", "Conv_1", "Conv_1_bn", "scores"),
    ]
    # The averages of batch normalization are among what stands still, or moves.
    for name, stands in (("block_15_project_BN", True), ("block_16_project_BN", False)):
        for averages in (2, 3):
            assert np.array_equal(first[name][averages], last[name][averages]) == stands


def test_each_phase_has_its_learning_rate(trained: Trained) -> None:
    assert [epoch["learning_rate"] for epoch in trained.course.epochs] == pytest.approx([1e-3, 1e-4, 1e-4])


def test_a_second_phase_is_resumed_to_the_same_result(
    trained: Trained, wanted: FitSettings, few: Dataset, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(trained.at_two, tmp_path / "run"))
    model = training.build(wanted, len(few.labels))
    last: list[Weights] = []
    setting = fitting.Setting(folder, say=lambda _line: last.append(of_layers(model)))
    course = fitting.fit_model(model, wanted, few, SPEC, setting)
    assert (course.epochs, course.best) == (trained.course.epochs, trained.course.best)
    assert len(last) == 1
    assert {name for name, weights in last[0].items() if not equal(weights, trained.weights[2][name])} == set()


@pytest.fixture(scope="module")
def model(wanted: FitSettings) -> Any:
    return training.build(wanted, 7)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"freeze_epochs": 0, "fine_tune_from": None, "fine_tune_learning_rate": None},
            (Phase(range(5), 1e-3, None, 0),),
        ),
        (
            {"freeze_epochs": 2, "fine_tune_from": None, "fine_tune_learning_rate": None},
            (Phase(range(2), 1e-3, BACKBONE, BACKBONE), Phase(range(2, 5), 1e-3, 0, BACKBONE)),
        ),
        (
            {"freeze_epochs": 4, "fine_tune_from": "block_1_", "fine_tune_learning_rate": 1e-5},
            (Phase(range(4), 1e-3, BACKBONE, BACKBONE), Phase(range(4, 5), 1e-5, 9, BACKBONE)),
        ),
        (
            {"freeze_epochs": 5, "fine_tune_from": None, "fine_tune_learning_rate": None},
            (Phase(range(5), 1e-3, BACKBONE, BACKBONE),),
        ),
    ],
)
def test_phases_are_planned(
    changes: dict[str, Any], expected: tuple[Phase, ...], model: Any, small_settings: Callable[..., FitSettings]
) -> None:
    assert model.layers[BACKBONE - 1].name == "out_relu"
    assert model.layers[9].name == "block_1_expand"
    assert phases.plan(small_settings(arch="mobilenetv2", epochs=5, **changes), model) == expected


@pytest.mark.parametrize(
    "changes", [{"fine_tune_from": "block_16"}, {"fine_tune_learning_rate": 1e-4}], ids=["from", "rate"]
)
def test_a_second_phase_without_epochs_is_told(
    changes: dict[str, Any], model: Any, small_settings: Callable[..., FitSettings]
) -> None:
    with pytest.raises(UsageError, match="--freeze-epochs 5 leave none of --epochs 5 to fine-tune in"):
        phases.plan(small_settings(arch="mobilenetv2", epochs=5, freeze_epochs=5, **changes), model)


MOBILENET = ["--arch", "mobilenetv2", "--input-size", "32", "--alpha", "0.35", "--epochs", "3"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            [*MOBILENET, "--freeze-epochs", "1", "--fine-tune-from", "block_17"],
            "mobilenetv2 has no block 'block_17'; it has " + ", ".join(f"block_{number}" for number in range(1, 17)),
        ),
        (
            ["--arch", "cnn-1", "--input-size", "16", "--epochs", "3", "--freeze-epochs", "1"],
            "cnn-1 has no backbone to freeze: leave out --freeze-epochs",
        ),
        ([*MOBILENET, "--freeze-epochs", "4"], "--freeze-epochs 4 are more than --epochs 3"),
        (
            [*MOBILENET, "--fine-tune-from", "block_16"],
            "--fine-tune-from and --fine-tune-learning-rate need --freeze-epochs: a phase before",
        ),
        (
            [*MOBILENET, "--fine-tune-learning-rate", "1e-4"],
            "--fine-tune-from and --fine-tune-learning-rate need --freeze-epochs: a phase before",
        ),
    ],
)
def test_phases_that_cannot_be_meant_are_told(
    arguments: list[str], reason: str, mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    result = CliRunner().invoke(main, ["fit", "--data", str(mini_csv), "--out", str(tmp_path / "run"), *arguments])
    assert (result.exit_code, the_error(result)) == (2, reason)
    assert not list(tmp_path.iterdir())
