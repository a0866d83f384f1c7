"""`fer-train compare`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from tabulate import tabulate

from fer_edge import files
from fer_edge.command import Command
from fer_edge.errors import UsageError
from fer_edge.metadata import Accuracy
from fer_train.run_folder import MODEL, RunFolder


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A run in the comparison.

    Attributes:
        run: Name of the run.
        arch: Name of the architecture.
        input: Rows, columns and channels of its input.
        parameters: Number of weights.
        multiply_accumulates: Of one face's way through it; None for runs of older versions.
        bytes: Size of the float model on disk.
        epochs: How many it was trained.
        seconds: Wall-clock time of that.
        loss: Cross-entropy on the selection split; None for runs of older versions.
        train_accuracy: On training faces without augmentation; None for runs of older versions.
        accuracy: On the selection split.
    """

    run: str
    arch: str
    input: tuple[int, int, int]
    parameters: int
    multiply_accumulates: int | None
    bytes: int
    epochs: int
    seconds: float
    loss: float | None
    train_accuracy: Accuracy | None
    accuracy: Accuracy


@click.command(cls=Command)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Write the table here as well: FILE.md or FILE.json.")
def compare(runs: tuple[Path, ...], out: Path | None) -> None:
    """Compare runs of the same data in one table, best first."""
    if out is not None and out.suffix not in (".md", ".json"):
        raise UsageError(f"{out}: the table is written as .md or .json")
    rows = sorted((_row(RunFolder(run)) for run in runs), key=lambda row: -row.accuracy.value)
    if len(data := {RunFolder(run).info.data.sha256: run for run in runs}) > 1:
        raise UsageError(f"{' and '.join(map(str, data.values()))} were trained on different data: no comparison")
    markdown = table(rows)
    if out is not None:
        encoded = msgspec.json.format(msgspec.json.encode(rows), indent=2) + b"\n"
        files.write_bytes(out, encoded if out.suffix == ".json" else f"{markdown}\n".encode())
    click.echo(markdown)


def table(rows: list[Row]) -> str:
    """Give the rows as a Markdown table."""
    cells = [
        [
            row.run,
            row.arch,
            " x ".join(map(str, row.input)),
            f"{row.parameters:,}",
            "-" if row.multiply_accumulates is None else f"{row.multiply_accumulates / 1e6:,.1f} M",
            f"{row.bytes / 1e6:.1f} MB",
            row.epochs,
            f"{row.seconds / 60:.1f} min",
            "-" if row.loss is None else f"{row.loss:.3f}",
            "-" if row.train_accuracy is None else f"{100 * row.train_accuracy.value:.1f} %",
            f"{100 * row.accuracy.value:.1f} % ({100 * row.accuracy.low:.1f} to {100 * row.accuracy.high:.1f})",
        ]
        for row in rows
    ]
    split = rows[0].accuracy.split
    headers = ["run", "architecture", "input", "parameters", "multiply-accumulates", "size", "epochs", "training time"]
    headers += ["loss", "accuracy train", f"accuracy {split} (95 %)"]
    return tabulate(cells, headers=headers, tablefmt="pipe", disable_numparse=True)


def _row(run: RunFolder) -> Row:
    info = run.info
    return Row(
        run=run.name,
        arch=info.settings.arch,
        input=(info.input.height, info.input.width, info.input.channels),
        parameters=info.parameters,
        multiply_accumulates=info.multiply_accumulates,
        bytes=len(files.read_bytes(run.path / MODEL, "model")),
        epochs=len(info.epochs),
        seconds=info.seconds,
        loss=info.loss,
        train_accuracy=info.train_accuracy,
        accuracy=info.accuracy,
    )
