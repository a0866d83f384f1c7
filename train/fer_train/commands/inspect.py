"""`fer-train inspect`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from tabulate import tabulate

from fer_edge import files
from fer_edge.command import Command
from fer_train.commands import options
from fer_train.datasets import defects


@click.command(cls=Command)
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="fer2013.csv, or a folder with train/CLASS/ and test/CLASS/.",
)
@click.option("--labels", metavar="NAME,NAME", help="Look at these expressions alone.  [default: all]")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the counts here as well.")
def inspect(data: Path, labels: str | None, json_file: Path | None) -> None:
    """Count classes and defects of a data set: duplicates, leaks between splits, conflicting labels, blank images."""
    found = options.load(data, options.names(labels))
    counts, wrong = found.counts(), defects.find(found)
    if json_file is not None:
        content = {"name": found.name, "sha256": found.fingerprint(), "counts": counts, "skipped": found.skipped}
        encoded = msgspec.json.encode({**content, "defects": wrong})
        files.write_bytes(json_file, msgspec.json.format(encoded, indent=2) + b"\n")
    rows = [[label, *(counts[split][label] for split in counts)] for label in found.labels]
    rows.append(["all", *(len(split) for split in found.splits.values())])
    click.echo(tabulate(rows, headers=[found.name, *counts], intfmt=","))
    click.echo(
        f"\n{wrong.unique:,} of {wrong.images:,} images are different, {wrong.unique_train:,} in train\n"
        f"{wrong.duplicate_groups:,} occur more than once, {wrong.duplicate_images:,} images together\n"
        f"{wrong.conflicting_groups:,} of them with different labels, {wrong.conflicting_images:,} images together\n"
        f"{wrong.blank:,} images are blank"
    )
    for split, leaked in wrong.leaked.items():
        click.echo(
            f"{leaked:,} images of {split} are in train as well (fit --drop-duplicates leaves those out of train)"
        )
