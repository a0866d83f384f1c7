"""What becomes of the options of a training: data, settings, a run, and a word on how it went."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from fer_edge.errors import UsageError
from fer_train import architectures, datasets
from fer_train.commands import options
from fer_train.settings import Distillation, FitSettings


def load(given: dict[str, Any]) -> datasets.Dataset:
    """Read the data that the options name, and say what there is."""
    arch = given["arch"]
    if arch not in architectures.REGISTRY.names():
        raise UsageError(f"no architecture is called {arch!r}; 'fer-train architectures' lists them")
    if given["resume"] and given["out"] is None:
        raise UsageError("--resume needs --out, the folder of the run to go on with")
    found = options.load(
        given["data"],
        options.names(given["labels"]),
        drop_duplicates=given["drop_duplicates"],
        ferplus=given["ferplus"],
        seed=given["split_seed"],
        memory=given["memory"],
    )
    counts = ", ".join(f"{name} {len(split)}" for name, split in found.splits.items())
    click.echo(f"{found.name}: {counts} images, {len(found.labels)} classes", err=True)
    return found


def chosen(given: dict[str, Any], distillation: Distillation | None = None) -> FitSettings:
    """Give the settings of the training that the options name."""
    fields = {name: given[name] for name in FitSettings.__struct_fields__ if name in given}
    if given["weight_decay"] and given["optimizer"] == "adam":
        raise UsageError("--weight-decay is for --optimizer adamw or sgd; adam would leave it out")
    fields["data"] = str(given["data"])
    fields["labels"] = options.names(given["labels"])
    fields["channels"] = int(given["channels"] or architectures.REGISTRY.load(given["arch"]).CHANNELS[0])
    return FitSettings(**fields, distillation=distillation)


def out(given: dict[str, Any]) -> Path:
    """Give the run folder that the options name."""
    name = f"{given['arch']}-{given['input_size']}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder: Path | None = given["out"]
    return Path("runs") / name if folder is None else folder


def search(number: int, given: dict[str, Any], found: datasets.Dataset) -> None:
    """Try a number of settings, and tell which was best."""
    from fer_train import searching

    if given["strategy"] != "single":
        raise UsageError("--search and --strategy multi-worker do not go together")
    folder = out(given)
    info = searching.search(number, chosen(given), found, folder, resume=given["resume"], say=click.echo)
    click.echo((folder / f"{searching.TABLE}.md").read_text())
    _tell(info, folder)


def train(given: dict[str, Any], found: datasets.Dataset, distillation: Distillation | None = None) -> None:
    """Train as the options say, and tell how it ended."""
    from fer_train import training, workers
    from fer_train.run_folder import INFO, RunFolder, unfinished

    folder, wanted = out(given), chosen(given, distillation)
    if given["resume"] and not unfinished(folder).exists() and (folder / INFO).is_file():
        finished = RunFolder(folder).info
        if changed := finished.settings.differences(wanted):
            raise UsageError(f"{folder} is finished, by other settings: {'; '.join(changed)}")
        if finished.data.sha256 != found.fingerprint():
            raise UsageError(f"{folder} is finished, by other data (the fingerprint differs)")
        click.echo(f"{folder} is finished: nothing to resume")
        return
    team = workers.MultiWorker() if given["strategy"] == "multi-worker" else workers.Team()
    info = training.fit(
        wanted,
        found,
        folder,
        resume=given["resume"],
        say=click.echo if team.writes else lambda _line: None,
        bar=sys.stdout.isatty() and team.writes,
        tensorboard=given["tensorboard"],
        team=team,
    )
    if info is not None:
        _tell(info, folder)


def _tell(info: Any, folder: Path) -> None:
    from fer_train import calibrating, card

    click.echo(f"best epoch {info.best_epoch} of {len(info.epochs)}: {info.accuracy}")
    for label, recall in info.recalls.items():
        click.echo(f"  {label:10} " + ("no image" if recall is None else f"recall {100 * recall:5.1f} %"))
    click.echo(card.overfitting(info))
    click.echo(calibrating.sentence(info.confidence))
    click.echo(f"wrote {folder} ({info.parameters:,} parameters, {info.seconds:.0f} s)")
