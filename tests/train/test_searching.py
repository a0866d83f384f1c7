from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from fer_edge.errors import FerError, UsageError
from fer_train import callbacks, run_folder, searching, training
from fer_train.cli import main
from fer_train.datasets import Dataset
from fer_train.run_folder import RunFolder, RunInfo
from fer_train.settings import AUGMENTATIONS, FitSettings

SMALL = ("--arch", "cnn-1", "--input-size", "16", "--epochs", "1", "--seed", "4")
TRIED = ("learning_rate", "batch_size", "dropout", "augment")
Settings = Callable[..., FitSettings]


def fit(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["fit", *map(str, arguments)], catch_exceptions=False)


def quiet(_line: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def searched(mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    path = tmp_path_factory.mktemp("search") / "run"
    result = fit("--data", mini_csv, *SMALL, "--search", 2, "--out", path)
    assert result.exit_code == 0, result.output
    return path, result


def test_a_search_leaves_the_best_run_alone(searched: tuple[Path, Result]) -> None:
    path, result = searched
    assert [left.name for left in path.parent.iterdir()] == ["run"]
    assert {"model.keras", "run.json", "README.md", "search.json", "search.md"} <= {
        file.name for file in path.iterdir()
    }
    assert (path / "README.md").read_text().startswith("# run\n")
    assert RunFolder(path).model().input_shape == (None, 16, 16, 1)
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith("trial")] == ["trial 1/2", "trial 2/2"]
    assert (path / "search.md").read_text() in result.stdout
    assert lines[-1].startswith(f"wrote {path} (")


def test_the_table_has_the_best_first(searched: tuple[Path, Result]) -> None:
    path, _ = searched
    trials, info = json.loads((path / "search.json").read_text()), RunFolder(path).info
    assert sorted(trial["number"] for trial in trials) == [1, 2]
    values = [trial["value"] for trial in trials]
    assert values == sorted(values, reverse=True)
    best = trials[0]
    assert {name: best[name] for name in TRIED} == {name: getattr(info.settings, name) for name in TRIED}
    assert best["value"] == info.epochs[info.best_epoch - 1]["val_accuracy"]
    assert best["seconds"] == info.seconds
    rows = [line for line in (path / "search.md").read_text().splitlines() if line[2:].strip()[:1].isdigit()]
    assert [int(row.split("|")[1]) for row in rows] == [trial["number"] for trial in trials]


def test_a_finished_search_is_not_made_again(
    searched: tuple[Path, Result], mini_csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "fit", None)
    result = fit("--data", mini_csv, *SMALL, "--search", 2, "--out", searched[0], "--resume")
    assert result.exit_code == 0
    assert f"{searched[0]} is finished: nothing to resume" in result.stdout


class Trainings:
    """Stands for `training.fit`: writes a run with what it was asked for, by a script of outcomes."""

    def __init__(self, info: RunInfo, data: Dataset, outcomes: list[float | BaseException]) -> None:
        self.info = msgspec.structs.replace(
            info, data=msgspec.structs.replace(info.data, sha256=data.fingerprint()), best_epoch=1
        )
        self.outcomes, self.asked = list(outcomes), list[FitSettings]()

    def __call__(self, settings: FitSettings, _data: Dataset, out: Path, **_how: Any) -> RunInfo:
        self.asked.append(settings)
        outcome = self.outcomes.pop(0)
        with run_folder.creating(out, resume=True) as folder:
            if isinstance(outcome, BaseException):
                raise outcome
            epoch = {"val_accuracy": outcome, "val_loss": outcome, "val_macro_f1": outcome}
            info = msgspec.structs.replace(self.info, settings=settings, epochs=(epoch,))
            run_folder.write_info(folder, info)
        return info


@pytest.fixture
def trainings(searched: tuple[Path, Result], few: Dataset, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trainings]:
    def scripted(*outcomes: float | BaseException) -> Trainings:
        stand_in = Trainings(RunFolder(searched[0]).info, few, list(outcomes))
        monkeypatch.setattr(training, "fit", stand_in)
        return stand_in

    return scripted


def tried(settings: FitSettings) -> tuple[Any, ...]:
    return tuple(getattr(settings, name) for name in TRIED)


def not_finite() -> FerError:
    return callbacks.NonFiniteLossError("the loss is not finite in step 2 of epoch 1: lower --learning-rate")


def test_the_seed_chooses_what_is_tried(
    trainings: Callable[..., Trainings], few: Dataset, small_settings: Settings, tmp_path: Path
) -> None:
    def search(seed: int, name: str) -> list[tuple[Any, ...]]:
        stand_in = trainings(*[0.1, 0.5, 0.3, 0.2])
        info = searching.search(4, small_settings(seed=seed), few, tmp_path / name, resume=False, say=quiet)
        assert tried(info.settings) == tried(stand_in.asked[1])
        assert {settings.seed for settings in stand_in.asked} == {seed}
        return [tried(settings) for settings in stand_in.asked]

    first = search(1, "a")
    assert search(1, "b") == first
    assert search(2, "c") != first
    assert len(set(first)) == 4
    for rate, batch, dropout, augment in first:
        assert 1e-4 <= rate <= 3e-3
        assert batch in (32, 64, 128)
        assert 0 <= dropout <= 0.5
        assert augment in AUGMENTATIONS


@pytest.mark.parametrize(("monitor", "best"), [("accuracy", 0.5), ("macro-f1", 0.5), ("loss", 0.1)])
def test_what_is_monitored_decides(
    monitor: str,
    best: float,
    trainings: Callable[..., Trainings],
    few: Dataset,
    small_settings: Settings,
    tmp_path: Path,
) -> None:
    trainings(0.3, not_finite(), 0.5, 0.1)
    info = searching.search(4, small_settings(monitor=monitor), few, tmp_path / "run", resume=False, say=quiet)
    assert info.epochs[0]["val_accuracy"] == best
    order = [trial["value"] for trial in json.loads((tmp_path / "run" / "search.json").read_text())]
    assert order == [*sorted([0.1, 0.3, 0.5], reverse=best == 0.5), None]
    assert "not finite" in (tmp_path / "run" / "search.md").read_text().splitlines()[-1]


@pytest.fixture
def cut_off(trainings: Callable[..., Trainings], few: Dataset, small_settings: Settings, tmp_path: Path) -> Trainings:
    """Give the trainings of a search that was cut off in its second trial, in `tmp_path`."""
    stand_in = trainings(0.1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        searching.search(3, small_settings(), few, tmp_path / "run", resume=False, say=quiet)
    assert [left.name for left in tmp_path.iterdir()] == [".run.search"]
    return stand_in


def test_a_search_that_was_cut_off_takes_over_what_is_finished(
    cut_off: Trainings,
    trainings: Callable[..., Trainings],
    few: Dataset,
    small_settings: Settings,
    tmp_path: Path,
) -> None:
    resumed = trainings(0.3, 0.2)
    info = searching.search(3, small_settings(), few, tmp_path / "run", resume=True, say=quiet)
    # The second is asked for once more, the first not.
    assert tried(resumed.asked[0]) == tried(cut_off.asked[1])
    assert [tried(settings) in map(tried, cut_off.asked) for settings in resumed.asked] == [True, False]
    assert tried(info.settings) == tried(resumed.asked[0])
    table = json.loads((tmp_path / "run" / "search.json").read_text())
    assert [(trial["number"], trial["value"]) for trial in table] == [(2, 0.3), (3, 0.2), (1, 0.1)]
    assert [left.name for left in tmp_path.iterdir()] == ["run"]


def test_a_search_that_was_cut_off_is_not_overwritten(
    cut_off: Trainings, few: Dataset, small_settings: Settings, tmp_path: Path
) -> None:
    assert len(cut_off.asked) == 2
    with pytest.raises(UsageError, match=r"an unfinished search stands in .*\.run\.search: go on with --resume, or "):
        searching.search(3, small_settings(), few, tmp_path / "run", resume=False, say=quiet)


@pytest.mark.parametrize(("changes", "reason"), [({"epochs": 2}, "epochs was 1 and is 2"), ({}, "the data changed")])
def test_trials_of_another_search_are_not_taken_over(
    changes: dict[str, Any],
    reason: str,
    cut_off: Trainings,
    few: Dataset,
    small_settings: Settings,
    tmp_path: Path,
) -> None:
    data = few if changes else few.subset(few.labels[::-1])
    with pytest.raises(UsageError, match=f"the trial in .* cannot be taken over: {reason}"):
        searching.search(3, small_settings(**changes), data, tmp_path / "run", resume=True, say=quiet)
    assert len(cut_off.asked) == 2
    assert [left.name for left in tmp_path.iterdir()] == [".run.search"]


def test_trials_that_all_diverge_are_told(
    trainings: Callable[..., Trainings], mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    trainings(not_finite(), not_finite())
    result = fit("--data", mini_csv, *SMALL, "--search", 2, "--out", tmp_path / "run")
    assert (result.exit_code, the_error(result)) == (
        1,
        "none of 2 trials ended with a finite loss: try another --optimizer or --arch",
    )
    assert result.stdout.count("failed: the loss is not finite") == 2
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_searched_leaves_nothing(
    mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    result = fit("--data", mini_csv, *SMALL, "--weights", "imagenet", "--search", 2, "--out", tmp_path / "run")
    assert (result.exit_code, the_error(result)) == (
        2,
        "cnn-1 has no backbone to load weights into: leave out --weights",
    )
    assert not list(tmp_path.iterdir())


def test_an_out_that_cannot_be_taken_is_told_at_once(
    trainings: Callable[..., Trainings], mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    stand_in = trainings()
    (tmp_path / "thesis").write_text("years")
    result = fit("--data", mini_csv, *SMALL, "--search", 2, "--out", tmp_path / "thesis")
    assert result.exit_code == 2
    assert the_error(result).endswith("exists and is not a run folder: choose another --out")
    assert not stand_in.asked
    assert [left.name for left in tmp_path.iterdir()] == ["thesis"]


def test_a_run_that_stands_there_is_kept(
    searched: tuple[Path, Result],
    trainings: Callable[..., Trainings],
    few: Dataset,
    small_settings: Settings,
    tmp_path: Path,
) -> None:
    shutil.copytree(searched[0], tmp_path / "run")
    trainings(0.25)
    searching.search(1, small_settings(), few, tmp_path / "run", resume=False, say=quiet)
    assert sorted(left.name for left in tmp_path.iterdir()) == ["run", "run-1"]
    assert RunFolder(tmp_path / "run-1").info == RunFolder(searched[0]).info


def test_several_workers_do_not_search(mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    result = fit("--data", mini_csv, *SMALL, "--search", 2, "--strategy", "multi-worker", "--out", tmp_path / "run")
    assert (result.exit_code, the_error(result)) == (2, "--search and --strategy multi-worker do not go together")
    assert not list(tmp_path.iterdir())
