"""A training that starts with the weights of another run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from fer_train.cli import main
from fer_train.run_folder import RunFolder

TINY = ("--arch", "mobilenetv2", "--alpha", "0.35", "--input-size", "32", "--epochs", "1", "--seed", "5")


def fit(data: Path, out: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["fit", "--data", str(data), "--out", str(out), *map(str, arguments)])


def test_a_training_that_hardly_moves_ends_where_the_other_did(plain_run: Path, mini_csv: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    still = ("--epochs", "1", "--learning-rate", "1e-9", "--schedule", "constant", "--no-calibrate")
    result = fit(mini_csv, out, "--arch", "cnn-1", "--input-size", "16", *still, "--start-from", plain_run)
    assert result.exit_code == 0, result.output
    run = RunFolder(out)
    assert run.info.settings.start_from == str(plain_run)
    before, after = RunFolder(plain_run).model(), run.model()
    for one, other in zip(before.trainable_weights, after.trainable_weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-6)


def test_another_network_is_told(
    tiny_run: Path, mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    result = fit(mini_csv, tmp_path / "run", "--arch", "cnn-1", "--input-size", "16", "--start-from", tiny_run)
    assert (result.exit_code, the_error(result)) == (
        2,
        f"--start-from {tiny_run} is another network than cnn-1: give the same architecture",
    )
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_not_there_is_told(mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    result = fit(mini_csv, tmp_path / "run", *TINY, "--start-from", tmp_path / "absent")
    assert result.exit_code == 2
    assert the_error(result).startswith(f"{tmp_path / 'absent'} is not a run folder")
    assert not list(tmp_path.iterdir())
