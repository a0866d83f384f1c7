"""A search for learning rate, batch size, dropout and augmentation, by Optuna (Akiba et al. 2019, arXiv:1907.10902)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import optuna
from tabulate import tabulate

from fer_edge import files
from fer_edge.errors import FerError, UsageError
from fer_train import callbacks, checkpoint, run_folder, training
from fer_train.datasets import Dataset
from fer_train.run_folder import RunFolder, RunInfo
from fer_train.settings import AUGMENTATIONS, FitSettings

TABLE = "search"
_BATCH_SIZES = (32, 64, 128)
_LEARNING_RATES = (1e-4, 3e-3)
_LARGEST_DROPOUT = 0.5


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One setting and what it gave.

    Attributes:
        number: From 1.
        learning_rate: Tried.
        batch_size: Tried.
        dropout: Tried.
        augment: Tried.
        value: What `FitSettings.monitor` names, of the best epoch; None where the loss was not finite.
        seconds: Wall-clock time of the fitting.
    """

    number: int
    learning_rate: float
    batch_size: int
    dropout: float
    augment: str
    value: float | None
    seconds: float


def search(
    number: int, settings: FitSettings, data: Dataset, out: Path, *, resume: bool, say: Callable[[str], None]
) -> RunInfo:
    """Train with several settings, one after the other, and keep the best run, with a table of all.

    The seed of the training is also the sampler's: the same command tries the same settings.

    Args:
        number: Of settings to try.
        settings: What is the same for all.
        data: With a "train" split and one to select on.
        out: The run folder; the table is in it, as JSON and Markdown.
        resume: Take over the trials of a search that was cut off.
        say: Takes lines of progress.

    Raises:
        UsageError: A search stands unfinished beside `out` that is not to be resumed, or was made with other settings;
            or something that is not a run stands at `out`.
        FerError: No trial ended with a finite loss, or a file cannot be written.
    """
    trials = out.absolute().with_name(f".{out.absolute().name}.search")
    if resume and not trials.exists() and (out / f"{TABLE}.json").is_file():
        say(f"{out} is finished: nothing to resume")
        return RunFolder(out).info
    if trials.exists() and not resume:
        raise UsageError(f"an unfinished search stands in {trials}: go on with --resume, or remove it")
    run_folder.check(out)
    metric = callbacks.METRICS[settings.monitor][0]
    try:
        done = _try(number, settings, data, trials, out.absolute().name, say)
        best = trials / str(done[0].number) / out.absolute().name
        with run_folder.creating(out) as folder:
            shutil.copytree(best, folder, dirs_exist_ok=True)
            content = msgspec.json.format(msgspec.json.encode(done), indent=2)
            files.write_bytes(folder / f"{TABLE}.json", content + b"\n")
            files.write_bytes(folder / f"{TABLE}.md", f"{table(done, metric)}\n".encode())
        shutil.rmtree(trials)
    finally:
        # What is not worth resuming would only stand in the way of the next search.
        if not any(trials.glob(f"*/*/{run_folder.INFO}")) and not any(trials.glob(f"*/.*.part/{checkpoint.NAME}")):
            shutil.rmtree(trials, ignore_errors=True)
    return RunFolder(out).info


def _try(
    number: int, settings: FitSettings, data: Dataset, trials: Path, name: str, say: Callable[[str], None]
) -> list[Trial]:
    """Train with each setting, in a folder of its own; the best comes first."""
    metric, mode = callbacks.METRICS[settings.monitor]
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize" if mode == "max" else "minimize", sampler=optuna.samplers.TPESampler(seed=settings.seed)
    )
    done: list[Trial] = []
    for index in range(1, number + 1):
        asked = study.ask()
        tried = _suggest(asked, settings)
        say(
            f"trial {index}/{number}: learning rate {tried.learning_rate:.2g}, batches of {tried.batch_size}, "
            f"dropout {tried.dropout:.2f}, augmentation {tried.augment}"
        )
        info = _run(tried, data, trials / str(index) / name, say)
        value = info.epochs[info.best_epoch - 1][metric] if info else None
        done.append(
            Trial(
                number=index,
                **{name: getattr(tried, name) for name in ("learning_rate", "batch_size", "dropout", "augment")},
                value=value,
                seconds=info.seconds if info else 0.0,
            )
        )
        if value is None:
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(asked, value)
    if all(trial.value is None for trial in done):
        shutil.rmtree(trials, ignore_errors=True)
        raise FerError(f"none of {number} trials ended with a finite loss: try another --optimizer or --arch")
    return sorted(done, key=lambda trial: (trial.value is None, -_sign(mode) * (trial.value or 0)))


def table(trials: list[Trial], metric: str) -> str:
    """Give the trials as a Markdown table."""
    rows = [
        [
            one.number,
            f"{one.learning_rate:.2g}",
            one.batch_size,
            f"{one.dropout:.2f}",
            one.augment,
            one.value,
            one.seconds,
        ]
        for one in trials
    ]
    headers = ["trial", "learning rate", "batch size", "dropout", "augmentation", metric, "seconds"]
    return tabulate(rows, headers=headers, tablefmt="pipe", floatfmt=".4g", missingval="not finite")


def _suggest(trial: Any, settings: FitSettings) -> FitSettings:
    return msgspec.structs.replace(
        settings,
        learning_rate=trial.suggest_float("learning_rate", *_LEARNING_RATES, log=True),
        batch_size=trial.suggest_categorical("batch_size", _BATCH_SIZES),
        dropout=trial.suggest_float("dropout", 0.0, _LARGEST_DROPOUT),
        augment=trial.suggest_categorical("augment", AUGMENTATIONS),
    )


def _run(settings: FitSettings, data: Dataset, out: Path, say: Callable[[str], None]) -> RunInfo | None:
    """Train, or take what an earlier search left; None where the loss is not finite."""
    if (out / run_folder.INFO).is_file():
        info = RunFolder(out).info
        changed = info.settings.differences(settings)
        if info.data.sha256 != data.fingerprint():
            changed.append("the data changed")
        if changed:
            raise UsageError(f"the trial in {out} cannot be taken over: {'; '.join(changed)}")
        return info
    try:
        return training.fit(settings, data, out, resume=True, say=say)
    except callbacks.NonFiniteLossError as error:
        say(f"failed: {error}")
        return None


def _sign(mode: str) -> int:
    return 1 if mode == "max" else -1
