"""The command `fer-convert`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fer_convert import showing
from fer_convert.commands import options
from fer_convert.commands.inspect import inspect
from fer_convert.commands.recipe import recipe
from fer_convert.foreign import Foreign, is_foreign
from fer_convert.recipes import ENDS, MAX_DROP, RECIPES
from fer_edge.command import FiniteRange, Group, unwinding_on_sigterm
from fer_edge.errors import FerError, UsageError
from fer_train import datasets, run_folder
from fer_train.run_folder import RunFolder

if TYPE_CHECKING:
    from fer_convert.parent import Parent
    from fer_train.datasets import Dataset


class _Convert(Group):
    """A group whose first command need not be named: `fer-convert RUN` is `fer-convert convert RUN`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name in where it is left out."""
        return super().parse_args(ctx, args if args and args[0] in self.commands else ["convert", *args])


@click.group(cls=_Convert, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Convert float models to TFLite files, and look into such files."""


main.add_command(inspect)
main.add_command(recipe)


@main.command()
@click.argument("model", metavar="[RUN|MODEL]", required=False, type=click.Path(path_type=Path))
@options.recipes
@options.tuning
@options.faces
@options.foreign
@click.option(
    "--io",
    "ends",
    default="int8",
    show_default=True,
    type=click.Choice(ENDS),
    help="Type of the input and output of the full-integer recipes; MediaPipe on phones takes uint8 and float32.",
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
@click.pass_context
def convert(
    context: click.Context,
    /,
    model: Path | None,
    ends: str,
    out: Path,
    max_drop: float,
    force: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Convert a float model to TFLite files that describe themselves.

    RUN is a folder that fer-train left; without it, the newest under runs/. MODEL is a Keras file (.keras, .h5) or the
    folder of a SavedModel that others made. Each file is loaded again and compared with the float model on held-out
    faces: the run's, or the public or test split of --data. 'fer-convert inspect MODEL.tflite' shows what is in a file.
    """
    context.with_resource(unwinding_on_sigterm())
    chosen = options.chosen(given)
    trains = any(recipe.tuned for recipe in chosen)
    source = _source(model, given, trains)
    if ends != "int8" and not any(recipe.integer for recipe in chosen):
        raise UsageError(f"--io {ends} is for full-integer recipes: {', '.join(r.name for r in RECIPES if r.integer)}")
    if given["calibration"] is not None and not any(recipe.calibrated for recipe in chosen):
        those = ", ".join(recipe.name for recipe in RECIPES if recipe.calibrated)
        raise UsageError(f"--calibration is for recipes with integer activations: {those}")
    click.echo(f"converting {source.path}", err=True)

    # TensorFlow takes seconds to import: after the model is known to be one, and never for --help.
    from fer_convert.converting import Wanted, check, convert_model
    from fer_convert.preparing import Shrinking
    from fer_convert.tuning import Tuning

    wanted = Wanted(chosen, out, ends=ends, max_drop=max_drop, force=force)
    check(source.name, wanted)
    parent, data = _parent(source, given["data"], given["calibration"])
    if trains and data is not None:
        tunings = {
            name: Tuning(
                epochs=given[f"{name}_epochs"],
                learning_rate=given[f"{name}_learning_rate"],
                augment=given["augment"],
            )
            for name in ("qat", "prune")
        }
        teachers = tuple(map(str, given["teachers"]))
        wanted = replace(wanted, shrinking=Shrinking(data, tunings["qat"], tunings["prune"], teachers))
    say: Callable[[str], None] = (lambda line: click.echo(line, err=True)) if as_json else click.echo
    converted = convert_model(parent, wanted, say=say, bar=sys.stdout.isatty())
    click.echo(showing.as_json(converted) if as_json else showing.as_table(converted))
    if lost := [one for one in converted if not one.kept]:
        costs = ", ".join(f"{one.report.name} {one.report.drop:.2f}" for one in lost)
        raise FerError(f"not written, as more points of accuracy are lost than --max-drop {max_drop:g}: {costs}")


def _source(model: Path | None, given: dict[str, Any], trains: bool) -> RunFolder | Foreign:
    if given["teachers"] and not trains:
        raise UsageError("--teacher is for --qat and --prune: the other recipes do not learn")
    if model is not None and is_foreign(model):
        return options.as_foreign(model, given)
    options.refuse_foreign(given)
    run = run_folder.newest(Path("runs")) if model is None else RunFolder(model)
    if trains and given["data"] is None:
        raise UsageError(f"--{'qat' if given['qat'] else 'prune'} trains: give it the run's data with --data")
    if given["data"] is not None and not trains and given["calibration"] is None:
        raise UsageError("--data is for --qat, --prune and --calibration: other recipes need no more than the run")
    return run


def _parent(source: RunFolder | Foreign, path: Path | None, size: int | None) -> tuple[Parent, Dataset | None]:
    """Open the model, then the data, which may be large."""
    from fer_convert import adopting, loading, parent

    if isinstance(source, RunFolder):
        data = None if path is None else source.data(path)
        return parent.of_run(source, data, size), data
    loaded = loading.load(source.path)
    # Without leaks, no face is both calibrated and judged on.
    data = datasets.load(source.data, labels=source.labels, drop_duplicates=True)
    return adopting.adopt(source, loaded, data, size), data
