"""`fer-convert recipe`."""

from __future__ import annotations

from pathlib import Path

import click

from fer_convert.commands import options
from fer_edge.command import Command
from fer_train import recipes
from fer_train.commands import arguments

# Without one of these a conversion needs no more than the run.
_NEED_DATA = frozenset({"qat", "prune", "calibration"})
_OURS = frozenset({"data", "out", "force", "json", "labels", "scale", "offset", "logits", "version"})


@click.command("recipe", cls=Command)
@click.argument("recipe", metavar="NAME|FILE.toml")
@click.option(
    "--runs",
    type=click.Path(path_type=Path, file_okay=False),
    help="What was --out of 'fer-train recipe'.  [default: runs/NAME]",
)
@click.option("--data", type=click.Path(path_type=Path), help="What the run was trained on, where the recipe needs it.")
@click.option(
    "--out",
    default=Path("models"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for NAME-RECIPE.tflite and NAME-RECIPE.json.",
)
@click.option("--force", is_flag=True, help="Replace files that are there already.")
@click.option("--check", is_flag=True, help="Look for mistakes in the recipe, and convert nothing.")
def recipe(recipe: str, runs: Path | None, data: Path | None, out: Path, force: bool, check: bool) -> None:
    """Convert a model as its recipe says, which 'fer-train recipe' has trained.

    The options are those of [convert] in the recipe's file.
    """
    from fer_convert.cli import convert  # which has this command among its own

    found = recipes.load(recipe)
    folder = runs or Path("runs") / found.name
    where = f"{found.path}: [convert]"
    given = dict(found.convert)
    if names := recipes.named(given, "teacher", [step.name for step in found.steps], where):
        given["teacher"] = [str(folder / name) for name in names]
    more = [str(folder / found.steps[-1].name), f"--out={out}", *(["--force"] if force else [])]
    if data is not None and not _NEED_DATA.isdisjoint(given):
        more.append(f"--data={data}")
    context = arguments.prepared(convert, given, more, where, reserved=_OURS)
    options.chosen(context.params)
    if check:
        click.echo(f"{found.path}: no mistake found")
        return
    with context:
        convert.invoke(context)
