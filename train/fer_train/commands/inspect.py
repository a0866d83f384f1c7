"""`fer-train inspect`."""

from __future__ import annotations

from pathlib import Path

import click

from fer_edge import files
from fer_edge.command import Command
from fer_train import inspecting
from fer_train.commands import options
from fer_train.datasets import FerPlus


@click.command(cls=Command)
@options.data
@options.labels
@options.ferplus
@options.split_seed
@options.memory
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the counts here as well.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write report.html, report.json and pictures into this folder."
)
def inspect(
    data: Path,
    labels: str | None,
    ferplus: FerPlus,
    split_seed: int,
    memory: int,
    json_file: Path | None,
    out: Path | None,
) -> None:
    """Count classes and defects of a data set: duplicates, leaks between splits, conflicting labels, blank images."""
    found = options.load(data, options.names(labels), ferplus=ferplus, seed=split_seed, memory=memory)
    facts = inspecting.facts(found)
    if json_file is not None:
        files.write_bytes(json_file, inspecting.as_json(facts))
    click.echo(inspecting.as_text(facts))
    if out is not None:
        inspecting.write(out, found, facts, split_seed)
        click.echo(f"\nwrote {out / inspecting.PAGE}")
