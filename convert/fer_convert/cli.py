"""The command `fer-convert`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from tabulate import tabulate

from fer_convert.recipes import ENDS, MAX_DROP, RECIPES
from fer_edge import files
from fer_edge.command import FiniteRange, Group
from fer_edge.errors import FerError, UsageError
from fer_train import datasets, run_folder
from fer_train.settings import AUGMENTATIONS

if TYPE_CHECKING:
    from fer_convert.converting import Converted

_POST_TRAINING = tuple(recipe for recipe in RECIPES if not recipe.trained)


def _recipes(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add a flag for each recipe that needs no training."""
    for recipe in reversed(_POST_TRAINING):
        command = click.option(f"--{recipe.name}", is_flag=True, help=f"{recipe.summary}.")(command)
    return command


class _Convert(Group):
    """A group whose first command need not be named: `fer-convert RUN` is `fer-convert convert RUN`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name in where it is left out."""
        return super().parse_args(ctx, args if args and args[0] in self.commands else ["convert", *args])


@click.group(cls=_Convert, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Convert training runs to TFLite files, and look into such files."""


@main.command("inspect")
@click.argument("model", metavar="MODEL.tflite", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the tables.")
def inspect_model(model: Path, as_json: bool) -> None:
    """Show what is in a model file, ours or another's: layers, shapes, types, quantization, sparsity, metadata."""
    content = files.read_bytes(model, "model")
    from fer_convert import inspecting

    found = inspecting.inspect(model, content)
    click.echo(
        msgspec.json.format(msgspec.json.encode(found), indent=2).decode() if as_json else inspecting.as_text(found)
    )


@main.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@_recipes
@click.option("--all", "every", is_flag=True, help="All of the above.")
@click.option("--qat", is_flag=True, help="int8 after quantization-aware training on --data.")
@click.option("--data", type=click.Path(path_type=Path), help="What the run was trained on, for --qat.")
@click.option(
    "--qat-epochs", default=3, show_default=True, type=click.IntRange(1), help="Passes over the training images."
)
@click.option(
    "--qat-learning-rate",
    default=2e-4,
    show_default=True,
    type=FiniteRange(0, 1, min_open=True),
    help="Adam's, at its highest.",
)
@click.option(
    "--qat-augment",
    default="standard",
    show_default=True,
    type=click.Choice(AUGMENTATIONS),
    help="Level of augmentation.",
)
@click.option(
    "--io",
    "ends",
    default="int8",
    show_default=True,
    type=click.Choice(ENDS),
    help="Type of the input and output of the full-integer recipes.",
)
@click.option(
    "--out",
    default=Path("models"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for NAME-RECIPE.tflite and NAME-RECIPE.json.",
)
@click.option(
    "--max-drop",
    default=MAX_DROP,
    show_default=True,
    type=FiniteRange(-100, 100),
    metavar="POINTS",
    help="Points of accuracy that a file may lose against the float model; one that loses more is not written.",
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--json", "as_json", is_flag=True, help="Print the reports as JSON in place of the table.")
@click.version_option(package_name="fer-edge")
def convert(
    run: Path | None,
    every: bool,
    qat: bool,
    data: Path | None,
    qat_epochs: int,
    qat_learning_rate: float,
    qat_augment: str,
    ends: str,
    out: Path,
    max_drop: float,
    force: bool,
    as_json: bool,
    **named: bool,
) -> None:
    """Convert a training run to TFLite files that describe themselves.

    RUN is a folder that fer-train left; without it, the newest under runs/. Each file is loaded again and compared with
    the float model on the run's held-out faces. 'fer-convert inspect MODEL.tflite' shows what is in a file.
    """
    folder = run_folder.newest(Path("runs")) if run is None else run_folder.RunFolder(run)
    if qat and data is None:
        raise UsageError("--qat trains: give it the run's data with --data")
    if data is not None and not qat:
        raise UsageError("--data is for --qat: the other recipes need no more than the run")
    asked = {recipe.name for recipe in _POST_TRAINING if every or named[recipe.name]} | ({"qat-int8"} if qat else set())
    chosen = [recipe for recipe in RECIPES if recipe.name in (asked or {"int8"})]
    if ends != "int8" and not any(recipe.integer for recipe in chosen):
        raise UsageError(f"--io {ends} is for full-integer recipes: {', '.join(r.name for r in RECIPES if r.integer)}")
    click.echo(f"converting {folder.path}", err=True)

    # TensorFlow takes seconds to import: after the run is known to be one, and never for --help.
    from fer_convert.converting import Wanted, check, convert_run
    from fer_convert.qat import QatSettings

    wanted = Wanted(chosen, out, ends=ends, max_drop=max_drop, force=force)
    check(folder, wanted)
    if data is not None:
        tuning = QatSettings(epochs=qat_epochs, learning_rate=qat_learning_rate, augment=qat_augment)
        wanted = replace(wanted, tuning=(_tuning_data(folder, data), tuning))
    say: Callable[[str], None] = (lambda line: click.echo(line, err=True)) if as_json else click.echo
    converted = convert_run(folder, wanted, say=say, bar=sys.stdout.isatty())
    click.echo(_as_json(converted) if as_json else _as_table(converted, folder.info.accuracy.split))
    if lost := [one for one in converted if not one.kept]:
        costs = ", ".join(f"{one.report.name} {one.report.drop:.2f}" for one in lost)
        raise FerError(f"not written, as more points of accuracy are lost than --max-drop {max_drop:g}: {costs}")


def _tuning_data(folder: run_folder.RunFolder, data: Path) -> datasets.Dataset:
    from fer_convert.qat import check_data

    settings = folder.info.settings
    found = datasets.load(
        data,
        labels=settings.labels,
        drop_duplicates=settings.drop_duplicates,
        ferplus=settings.ferplus,
        seed=settings.split_seed,
    )
    check_data(found, folder.info)
    return found


def _as_json(converted: list[Converted]) -> str:
    content = msgspec.json.encode([one.report for one in converted])
    return msgspec.json.format(content, indent=2).decode()


def _as_table(converted: list[Converted], split: str) -> str:
    rows = [
        {
            "file": str(one.path) if one.kept else f"({one.report.name})",
            "bytes": one.report.bytes,
            "gzip": one.report.gzip_bytes,
            "same label %": 100 * one.report.agreement,
            "accuracy %": 100 * one.report.accuracy.value,
            "points lost": one.report.drop,
            "(95 %)": f"{-100 * one.report.paired.high:.2f} to {-100 * one.report.paired.low:.2f}",
        }
        for one in converted
    ]
    first = converted[0].report
    return (
        f"{tabulate(rows, headers='keys', floatfmt='.2f', intfmt=',')}\n"
        f"on {first.images} held-out faces ({split}); the float model has {100 * first.float_accuracy.value:.2f} %"
    )
