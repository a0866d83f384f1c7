from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import Accuracy
from fer_train import card
from fer_train.judging import metrics
from fer_train.run_folder import RunFolder, RunInfo


@pytest.fixture(scope="module")
def info(tiny_run: Path) -> RunInfo:
    return RunFolder(tiny_run).info


@pytest.fixture(scope="module")
def text(tiny_run: Path) -> str:
    return (tiny_run / "README.md").read_text()


def changed(info: RunInfo, train: int, held_out: int, losses: tuple[float, ...] = (1.5, 1.0), **fields: Any) -> RunInfo:
    """Give a run that is right on so many of 100 faces."""
    return msgspec.structs.replace(
        info,
        train_accuracy=Accuracy(split="train", correct=train, total=100, low=0.0, high=1.0),
        accuracy=Accuracy(split="public", correct=held_out, total=100, low=0.0, high=1.0),
        epochs=tuple({"val_loss": loss} for loss in losses),
        **fields,
    )


@pytest.mark.parametrize(
    ("train", "held_out", "losses", "expected"),
    [
        (
            *(66, 61, (1.5, 1.0)),
            "No overfitting to speak of: 66.0 % on training faces, 61.0 % on public.",
        ),
        (
            *(60, 61, (1.0, 1.25)),
            "No overfitting to speak of: 60.0 % on training faces, 61.0 % on public; its loss there was lowest in "
            "epoch 1 (1.000) and is 1.250 after the last.",
        ),
        (
            *(95, 61, (1.5, 1.0, 2.25)),
            "OVERFITTING: the model knows its training faces 34 points better than others: 95.0 % on training faces, "
            "61.0 % on public; its loss there was lowest in epoch 2 (1.000) and is 2.250 after the last.",
        ),
        (
            *(75, 61, (1.5, 1.0)),
            "OVERFITTING: the model knows its training faces 14 points better than others: 75.0 % on training faces, "
            "61.0 % on public.",
        ),
    ],
)
def test_overfitting_is_stated(
    train: int, held_out: int, losses: tuple[float, ...], expected: str, info: RunInfo
) -> None:
    assert card.overfitting(changed(info, train, held_out, losses)) == expected


def test_older_runs_did_not_measure_it(info: RunInfo) -> None:
    older = msgspec.structs.replace(info, train_accuracy=None, epochs=({"loss": 1.0},))
    assert card.overfitting(older) == "Not measured: the run was made by an older version."


def test_the_card_tells_the_accuracy_with_its_interval(text: str, info: RunInfo) -> None:
    assert str(info.accuracy) in text
    assert f"{100 * info.accuracy.low:.1f} to {100 * info.accuracy.high:.1f}" in text
    assert card.overfitting(info) in text


def test_the_card_tells_what_it_was_trained_on(text: str, info: RunInfo) -> None:
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in text.splitlines() if "|" in line]
    assert ("expression", "train", "public") in rows
    assert [row for row in rows if row[1:] == ("40", "12")] == [(label, "40", "12") for label in EXPRESSIONS]
    assert f"FER2013 (fingerprint {info.data.sha256[:16]})" in text
    assert "It is for research use, and so is this model." in text


def test_the_card_tells_the_model_and_its_settings(text: str, info: RunInfo) -> None:
    assert text.startswith("# tiny\n\nmobilenetv2, 32 x 32 rgb,\n")
    assert f"{info.parameters:,} parameters" in text
    assert f"{info.multiply_accumulates:,} multiply-accumulates" in text
    assert "Augmentation light, balance none, adam with a cosine\nschedule from 0.001, batches of 16, 2 epochs" in text
    assert "must not be used for" in text
    # Nothing of the template is left.
    assert not {"{{", "}}", "{%", "None"} & set(text.split())


def test_a_card_of_other_data_says_nothing_of_fer2013(info: RunInfo, tmp_path: Path) -> None:
    labels = np.arange(7)
    judgement = metrics.judge("test", np.eye(7, dtype=np.float32), labels, EXPRESSIONS, None)
    other = changed(info, 99, 50, data=msgspec.structs.replace(info.data, name="faces"))
    card.write(tmp_path, "mine", other, judgement)
    text = (tmp_path / card.NAME).read_text()
    assert text.startswith("# mine\n")
    assert "OVERFITTING: " in text
    assert "research competition" not in text
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
