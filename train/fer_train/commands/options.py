"""What several commands share: how data is named and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fer_edge.command import warn
from fer_train import datasets

data = click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="fer2013.csv; a folder with train/CLASS/ and test/CLASS/, or with CLASS/ alone; or ExpW's label.lst.",
)
labels = click.option("--labels", metavar="NAME,NAME", help="These expressions alone.  [default: all]")
ferplus = click.option(
    "--ferplus",
    default="none",
    show_default=True,
    type=click.Choice(["none", "majority", "soft"]),
    help="Take labels from FER+ votes, fer2013new.csv beside the CSV: what most voted for, or shares of votes.",
)
split_seed = click.option(
    "--split-seed",
    default=1,
    show_default=True,
    type=click.IntRange(0, 2**31 - 1),
    help="Of the split into train and test, where the data has none.",
)
memory = click.option(
    "--memory",
    default=2048,
    show_default=True,
    type=click.IntRange(1),
    help="MiB of faces kept in memory; what is more is read from its files in every epoch.",
)


def judging(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a command that judges models."""
    for option in reversed((data, ferplus, memory, *_JUDGING)):
        command = option(command)
    return command


_JUDGING = (
    click.option("--split", help="Split of the data.  [default: public, else test]"),
    click.option(
        "--split-seed",
        type=click.IntRange(0, 2**31 - 1),
        help="Of the split into train and test, where the data has none.  [default: the run's, else 1]",
    ),
    click.option(
        "--out", type=click.Path(path_type=Path), help="Write report.html, report.json and pictures into this folder."
    ),
)


def names(labels: str | None) -> tuple[str, ...] | None:
    """Take apart what --labels gives."""
    return None if labels is None else tuple(label.strip() for label in labels.split(","))


def load(
    data: Path,
    labels: tuple[str, ...] | None,
    *,
    drop_duplicates: bool = False,
    ferplus: datasets.FerPlus = "none",
    seed: int = 1,
    memory: int = datasets.MEMORY >> 20,
) -> datasets.Dataset:
    """Read a data set as `datasets.load` does, telling what was left out, skipped and made; memory is in MiB."""
    found = datasets.load(
        data, labels=labels, drop_duplicates=drop_duplicates, ferplus=ferplus, seed=seed, memory=memory << 20
    )
    for note in found.notes:
        click.echo(f"{found.name}: {note}", err=True)
    for reason in found.skipped[:20]:
        warn(f"skipped: {reason}")
    if found.skipped:
        warn(f"skipped {len(found.skipped)} files that are missing or no images")
    return found
