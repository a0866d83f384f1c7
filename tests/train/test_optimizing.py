from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_edge.metadata import InputSpec
from fer_train import fitting, optimizing, training
from fer_train.datasets import Dataset
from fer_train.settings import FitSettings

Settings = Callable[..., FitSettings]


@pytest.mark.parametrize(
    ("how", "epochs", "expected"),
    [
        ({"schedule": "constant"}, 3, {0: 0.1, 5: 0.1, 14: 0.1}),
        ({"schedule": "plateau"}, 3, {0: 0.1, 14: 0.1}),
        ({"schedule": "step", "decay_every": 2}, 6, {0: 0.1, 9: 0.1, 10: 0.01, 19: 0.01, 20: 0.001, 29: 0.001}),
        ({"schedule": "step", "decay": 0.5, "decay_every": 1}, 3, {0: 0.1, 4: 0.1, 5: 0.05, 9: 0.05, 10: 0.025}),
        # Five steps of warm-up, then half a cosine over fifteen.
        ({"schedule": "cosine"}, 4, {0: 0, 1: 0.02, 4: 0.08, 5: 0.1, 10: 0.075, 15: 0.025, 20: 0}),
        ({"schedule": "cosine", "warm_up": 2}, 4, {0: 0, 5: 0.05, 10: 0.1, 15: 0.05, 20: 0}),
        ({"schedule": "cosine", "warm_up": 0}, 4, {0: 0.1, 10: 0.05, 20: 0}),
        # An epoch is left to fall in, however long the warm-up.
        ({"schedule": "cosine", "warm_up": 9}, 4, {0: 0, 15: 0.1, 20: 0}),
        ({"schedule": "cosine", "warm_up": 1}, 1, {0: 0.1, 5: 0}),
    ],
)
def test_learning_rates_by_step(
    how: dict[str, Any], epochs: int, expected: dict[int, float], small_settings: Settings
) -> None:
    rate = optimizing.optimizer(small_settings(**how), steps=5, epochs=epochs, learning_rate=0.1)._learning_rate
    found = {step: float(rate(step) if callable(rate) else rate) for step in expected}
    assert found == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("how", "kind", "expected"),
    [
        ({"optimizer": "adam"}, "Adam", {"beta_1": 0.9, "beta_2": 0.999, "weight_decay": None}),
        ({"optimizer": "adamw", "weight_decay": 0.01}, "AdamW", {"beta_1": 0.9, "weight_decay": 0.01}),
        ({"optimizer": "adamw"}, "AdamW", {"weight_decay": 0.0}),
        ({"optimizer": "sgd"}, "SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": None}),
        ({"optimizer": "sgd", "weight_decay": 0.01}, "SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ],
)
def test_optimizers_by_name(how: dict[str, Any], kind: str, expected: dict[str, Any], small_settings: Settings) -> None:
    optimizer = optimizing.optimizer(small_settings(**how), steps=5, epochs=3, learning_rate=0.1)
    assert type(optimizer).__name__ == kind
    config = optimizer.get_config()
    assert {name: config[name] for name in expected} == expected


def test_a_plateau_lowers_the_rate(
    few: Dataset, small_settings: Settings, small_input: InputSpec, tmp_path: Path
) -> None:
    wanted = small_settings(schedule="plateau", decay=0.5, decay_every=1, learning_rate=0.02, epochs=5, batch_size=32)
    model = training.build(wanted, len(few.labels))
    course = fitting.fit_model(model, wanted, few, small_input, fitting.Setting(tmp_path))
    values = [epoch["val_accuracy"] for epoch in course.epochs]
    expected = [0.02]
    for number, value in enumerate(values):
        gained = number == 0 or value > max(values[:number])
        expected.append(expected[-1] if gained else expected[-1] / 2)
    # What stands with an epoch is the rate after it.
    assert [epoch["learning_rate"] for epoch in course.epochs] == pytest.approx(expected[1:])
    assert 0.02 in expected[1:]
    assert expected[-1] < 0.02
