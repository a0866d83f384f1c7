"""What a training tells and writes while it runs, and when it fails."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from fer_train import callbacks, checkpoint
from fer_train.cli import main
from fer_train.keras_setup import tf
from fer_train.run_folder import RunFolder

SMALL = ("--arch", "cnn-1", "--input-size", "16", "--epochs", "2", "--seed", "4", "--monitor", "macro-f1")


def fit(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["fit", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def logged(mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    path = tmp_path_factory.mktemp("logs") / "run"
    result = fit("--data", mini_csv, *SMALL, "--tensorboard", "--out", path)
    assert result.exit_code == 0, result.output
    return path, result


def test_history_has_the_metrics_of_each_epoch(logged: tuple[Path, Result]) -> None:
    epochs = RunFolder(logged[0]).info.epochs
    with (logged[0] / "history.csv").open(newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert rows == [{"epoch": number, **epoch} for number, epoch in enumerate(epochs, start=1)]
    assert list(rows[0]) == [
        *("epoch", "loss", "accuracy", "macro_f1", "val_loss", "val_accuracy", "val_macro_f1", "learning_rate")
    ]


def test_each_epoch_is_told(logged: tuple[Path, Result]) -> None:
    epochs = RunFolder(logged[0]).info.epochs
    lines = [line for line in logged[1].stdout.splitlines() if re.match(r"epoch +\d+/", line)]
    for number, (line, epoch) in enumerate(zip(lines, epochs, strict=True), start=1):
        expected = (
            f"epoch   {number}/2  loss {epoch['loss']:.3f}  accuracy {100 * epoch['accuracy']:.1f} %  held out: loss "
            f"{epoch['val_loss']:.3f}  accuracy {100 * epoch['val_accuracy']:.1f} %  "
        )
        assert line.startswith(expected)
        assert re.fullmatch(r"\d+ s an epoch, \d+:\d\d:\d\d left", line.removeprefix(expected))
    assert lines[-1].endswith(" 0:00:00 left")


@pytest.mark.parametrize(("part", "prefix"), [("train", ""), ("validation", "val_")])
def test_tensorboard_can_read_the_events(part: str, prefix: str, logged: tuple[Path, Result]) -> None:
    epochs = RunFolder(logged[0]).info.epochs
    events = EventAccumulator(str(logged[0] / "tensorboard" / part)).Reload()
    for metric in ("loss", "accuracy", "macro_f1"):
        values = [float(tf.make_ndarray(event.tensor_proto)) for event in events.Tensors(f"epoch_{metric}")]
        assert values == pytest.approx([epoch[f"{prefix}{metric}"] for epoch in epochs], rel=1e-6)


def test_the_best_epoch_is_by_what_is_monitored(logged: tuple[Path, Result]) -> None:
    info = RunFolder(logged[0]).info
    values = [epoch["val_macro_f1"] for epoch in info.epochs]
    assert info.best_epoch == values.index(max(values)) + 1
    assert f"best epoch {info.best_epoch} of 2: {info.accuracy}" in logged[1].stdout


def spoil(layer: Any) -> None:
    layer.kernel.assign(layer.kernel * float("nan"))


def test_a_loss_that_is_lost_later_keeps_the_checkpoint(
    logged: tuple[Path, Result],
    mini_csv: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    the_error: Callable[[Result], str],
) -> None:
    begin = callbacks.Reseed.on_epoch_begin

    def explode(self: callbacks.Reseed, epoch: int, logs: Any = None) -> None:
        begin(self, epoch, logs)
        if epoch == 1:
            spoil(self.model.get_layer("scores"))

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.Reseed, "on_epoch_begin", explode)
        result = fit("--data", mini_csv, *SMALL, "--out", tmp_path / "run")
    assert (result.exit_code, the_error(result)) == (
        1,
        "the loss is not finite in step 1 of epoch 2: lower --learning-rate; the checkpoint of epoch 1 is kept",
    )
    assert [left.name for left in tmp_path.iterdir()] == [".run.part"]
    assert len(checkpoint.load(tmp_path / ".run.part" / checkpoint.NAME)[2].epochs) == 1
    # What is kept is good: it goes on from there as if nothing had happened.
    result = fit("--data", mini_csv, *SMALL, "--out", tmp_path / "run", "--resume")
    assert result.exit_code == 0, result.output
    assert RunFolder(tmp_path / "run").info.epochs == RunFolder(logged[0]).info.epochs


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        ("on_epoch_begin", "the loss is not finite in step 1 of epoch 1"),
        # A loss may look good all the same: some processors' ReLU swallows what is no number.
        ("on_epoch_end", "the weights are not finite after epoch 1"),
    ],
)
def test_a_training_that_is_lost_at_once_leaves_nothing(
    moment: str,
    reason: str,
    mini_csv: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    the_error: Callable[[Result], str],
) -> None:
    real = getattr(callbacks.Reseed, moment)

    def explode(self: callbacks.Reseed, epoch: int, logs: Any = None) -> None:
        real(self, epoch, logs)
        spoil(self.model.get_layer("scores"))

    monkeypatch.setattr(callbacks.Reseed, moment, explode)
    result = fit("--data", mini_csv, *SMALL, "--out", tmp_path / "run")
    assert (result.exit_code, the_error(result)) == (1, f"{reason}: lower --learning-rate")
    assert not list(tmp_path.iterdir())
