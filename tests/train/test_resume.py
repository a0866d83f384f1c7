"""A training that was killed goes on to the same result as an unbroken one."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_train import checkpoint
from fer_train.cli import main
from fer_train.run_folder import RunFolder, unfinished
from fer_train.settings import FitSettings

# All that draws random numbers, and all that keeps a state over epochs.
HARD = [
    *("--arch", "complex-cnn-2", "--input-size", "32", "--epochs", "5", "--batch-size", "32", "--seed", "3"),
    *("--augment", "strong", "--dropout", "0.3", "--balance", "oversample", "--label-smoothing", "0.1"),
    *("--optimizer", "adamw", "--weight-decay", "0.01", "--schedule", "plateau", "--decay-every", "1"),
    *("--monitor", "loss", "--patience", "4"),
]


def fit(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["fit", *map(str, arguments)], catch_exceptions=False)


def killed(arguments: list[str], after: str) -> str:
    """Run the command in a process of its own and kill it as soon as it says something."""
    code = "from fer_train.cli import main; main()"
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-c", code, "fit", *arguments]
    said = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said += line
            if line.startswith(after):
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL, said
    return said


@pytest.fixture(scope="module")
def unbroken(mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("unbroken") / "run"
    result = fit("--data", mini_csv, *HARD, "--out", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="module")
def broken(mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the --out of a training that was killed after its second epoch."""
    path = tmp_path_factory.mktemp("broken") / "run"
    killed(["--data", str(mini_csv), *HARD, "--out", str(path)], "epoch   2/5")
    assert not path.exists()
    return path


@pytest.fixture
def again(broken: Path, tmp_path: Path) -> Path:
    """Give a copy of it."""
    path = tmp_path / "run"
    shutil.copytree(unfinished(broken), unfinished(path))
    return path


def weights(run: Path) -> list[Any]:
    arrays: list[Any] = RunFolder(run).model().get_weights()
    return arrays


def test_a_killed_training_resumes_to_the_same_result(unbroken: Path, again: Path, mini_csv: Path) -> None:
    result = fit("--data", mini_csv, *HARD, "--out", again, "--resume")
    assert result.exit_code == 0, result.output
    first, second = RunFolder(unbroken).info, RunFolder(again).info
    assert len(first.epochs) == 5
    assert second.epochs == first.epochs
    assert second.best_epoch == first.best_epoch
    for one, other in zip(weights(unbroken), weights(again), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not unfinished(again).exists()
    assert not (again / checkpoint.NAME).exists()
    # The schedule lowered the rate, or resuming it would have been no test.
    assert len({epoch["learning_rate"] for epoch in first.epochs}) > 1


def test_a_finished_run_is_not_trained_again(
    unbroken: Path, mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    before = (unbroken / "run.json").stat().st_mtime_ns
    result = fit("--data", mini_csv, *HARD, "--out", unbroken, "--resume")
    assert (result.exit_code, result.stdout) == (0, f"{unbroken} is finished: nothing to resume\n")
    changed = fit("--data", mini_csv, *HARD, "--dropout", "0.5", "--out", unbroken, "--resume")
    assert the_error(changed) == f"{unbroken} is finished, by other settings: dropout was 0.3 and is 0.5"
    other = tmp_path / "other.csv"
    other.write_text("\n".join(mini_csv.read_text().splitlines()[:-1]))
    changed = fit("--data", other, *HARD, "--out", unbroken, "--resume")
    assert the_error(changed) == f"{unbroken} is finished, by other data (the fingerprint differs)"
    assert (unbroken / "run.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--batch-size", "16"], "batch_size was 32 and is 16"),
        (["--arch", "cnn-1"], "arch was complex-cnn-2 and is cnn-1"),
        (["--epochs", "6", "--seed", "4"], "epochs was 5 and is 6; seed was 3 and is 4"),
    ],
)
def test_changed_settings_are_named(
    arguments: list[str], reason: str, again: Path, mini_csv: Path, the_error: Callable[[Result], str]
) -> None:
    result = fit("--data", mini_csv, *HARD, *arguments, "--out", again, "--resume")
    kept = unfinished(again) / checkpoint.NAME
    assert (result.exit_code, the_error(result)) == (2, f"{kept} cannot be resumed: {reason}")
    assert kept.is_file()


def test_changed_data_is_named(again: Path, mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("\n".join(mini_csv.read_text().splitlines()[:-1]))
    result = fit("--data", fewer, *HARD, "--out", again, "--resume")
    assert result.exit_code == 2
    assert "cannot be resumed: the data changed (its fingerprint was " in the_error(result)


def test_an_unfinished_training_is_not_overwritten(
    again: Path, mini_csv: Path, the_error: Callable[[Result], str]
) -> None:
    result = fit("--data", mini_csv, *HARD, "--out", again)
    assert result.exit_code == 2
    assert the_error(result) == (
        f"an unfinished training stands in {unfinished(again)}: go on with --resume, or remove it"
    )
    assert (unfinished(again) / checkpoint.NAME).is_file()


def test_resume_without_a_checkpoint_starts_anew(mini_csv: Path, tmp_path: Path) -> None:
    small = ("--arch", "cnn-1", "--input-size", 16, "--epochs", 1)
    result = fit("--data", mini_csv, *small, "--out", tmp_path / "run", "--resume")
    assert result.exit_code == 0, result.output
    assert len(RunFolder(tmp_path / "run").info.epochs) == 1


def test_resume_needs_the_folder(mini_csv: Path, the_error: Callable[[Result], str]) -> None:
    result = fit("--data", mini_csv, "--resume")
    assert (result.exit_code, the_error(result)) == (2, "--resume needs --out, the folder of the run to go on with")


def test_a_damaged_checkpoint_is_told(again: Path, mini_csv: Path, the_error: Callable[[Result], str]) -> None:
    kept = unfinished(again) / checkpoint.NAME
    kept.write_bytes(kept.read_bytes()[:5_000])
    result = fit("--data", mini_csv, *HARD, "--out", again, "--resume")
    assert result.exit_code == 1
    assert the_error(result).startswith(f"the checkpoint {kept} cannot be read: ")


def test_a_checkpoint_of_another_architecture_is_told(
    again: Path, mini_csv: Path, the_error: Callable[[Result], str]
) -> None:
    # The settings agree, the arrays do not: as where an architecture has changed since.
    kept = unfinished(again) / checkpoint.NAME
    arrays, optimizer, progress = checkpoint.load(kept)
    checkpoint.save(kept, arrays[:-2], optimizer, progress)
    result = fit("--data", mini_csv, *HARD, "--out", again, "--resume")
    assert result.exit_code == 1
    assert the_error(result).startswith(f"{kept} is of another architecture: it holds {len(arrays) - 2} arrays")


def test_a_full_disk_leaves_the_last_good_checkpoint(again: Path, mini_csv: Path) -> None:
    kept = unfinished(again) / checkpoint.NAME
    before = checkpoint.load(kept)[2]

    def limit() -> None:
        # A file cannot grow as large as a checkpoint any more.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    code = "from fer_train.cli import main; main()"
    command = [sys.executable, "-c", code, "fit", "--data", str(mini_csv), *HARD, "--out", str(again), "--resume"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, preexec_fn=limit)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: cannot write ")
    assert checkpoint.load(kept)[2] == before
    assert not list(kept.parent.glob(".*.part*"))


def test_settings_say_what_differs() -> None:
    fields: dict[str, Any] = dict.fromkeys(FitSettings.__struct_fields__)
    first = FitSettings(**{**fields, "seed": 1, "data": "a", "head": (1,)})
    second = FitSettings(**{**fields, "seed": 2, "data": "b", "head": (1, 2)})
    assert first.differences(first) == []
    assert first.differences(second) == ["head was (1,) and is (1, 2)", "seed was 1 and is 2"]
