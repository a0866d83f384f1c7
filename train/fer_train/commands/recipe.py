"""`fer-train recipe`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from tabulate import tabulate

from fer_edge.command import Command
from fer_edge.errors import UsageError
from fer_train import recipes
from fer_train.commands import arguments, fitting, options
from fer_train.commands.distil import distil
from fer_train.commands.fit import fit
from fer_train.recipes import Recipe, Step

_COMMANDS = {"fit": fit, "distil": distil}
_OURS = frozenset({"data", "out", "resume", "search", "strategy", "tensorboard"})


def _print_list(context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        found = [recipes.load(name) for name in recipes.shipped()]
        rows = [(one.name, ", ".join(step.name for step in one.steps), one.summary) for one in found]
        click.echo(tabulate(rows, headers=("name", "steps", "what")))
        context.exit()


@click.command(cls=Command)
@click.argument("recipe", metavar="NAME|FILE.toml")
@options.data
@click.option(
    "--weights",
    multiple=True,
    metavar="[STEP=]FILE.h5",
    help="Start from this file where the recipe says 'imagenet', which is downloaded; of one step or of all.",
)
@click.option(
    "--weights-dir",
    envvar="FER_TRAIN_WEIGHTS",
    show_envvar=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the weight files that the recipe names.  [default: the recipe's own]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run folders, one a step.  [default: runs/NAME]",
)
@click.option(
    "--list", is_flag=True, expose_value=False, is_eager=True, callback=_print_list, help="Of the shipped recipes."
)
def recipe(recipe: str, data: Path, weights: tuple[str, ...], weights_dir: Path | None, out: Path | None) -> None:
    """Train a model as its recipe says, step by step.

    Steps that are finished are skipped, and one that was interrupted goes on: give the same command again. The last
    step's run folder is what 'fer-convert recipe' converts.
    """
    found = recipes.load(recipe)
    folder = out or Path("runs") / found.name
    files = _files(found, weights)
    steps = [_prepared(found, step, data, folder, files, weights_dir or found.path.parent) for step in found.steps]
    for number, (step, context) in enumerate(zip(found.steps, steps, strict=True), start=1):
        click.echo(f"step {number} of {len(steps)}, {step.name}: {step.command}", err=True)
        _forget()
        with context:
            context.command.invoke(context)


def _files(found: Recipe, given: tuple[str, ...]) -> dict[str, str]:
    """Give the file of --weights of each step that has one."""
    takers = [step.name for step in found.steps if step.options.get("weights") == "imagenet"]
    files: dict[str, str] = {}
    for text in given:
        name, equals, file = text.partition("=")
        named = bool(equals) and name in {step.name for step in found.steps}
        those = [name] if named else takers
        if not set(those) <= set(takers) or not those:
            there = ", ".join(takers) or "none"
            raise UsageError(f"--weights {text} is for steps that start from 'imagenet'; {found.path} has {there}")
        files |= dict.fromkeys(those, file if named else text)
    return files


def _prepared(
    found: Recipe, step: Step, data: Path, folder: Path, files: dict[str, str], weights_dir: Path
) -> click.Context:
    """Check a step, as far as that can be without its data, and make it ready."""
    where = f"{found.path}: step {step.name!r}"
    given: dict[str, Any] = dict(step.options)
    if step.name in files:
        given["weights"] = files[step.name]
    elif given.get("weights", "none") not in ("none", "imagenet"):
        given["weights"] = str(weights_dir / str(given["weights"]))
    start = str(given.get("weights", "none"))
    if start not in ("none", "imagenet") and not Path(start).is_file():
        raise UsageError(f"{where}: no weights at {start}: name their folder with --weights-dir")
    for option in recipes.OF_STEPS:
        if names := recipes.named(step.options, option, _names(found), where):
            runs = [str(folder / name) for name in names]
            given[option] = runs if option == "teacher" else runs[0]
    more = (f"--data={data}", f"--out={folder / step.name}", "--resume")
    context = arguments.prepared(_COMMANDS[step.command], given, more, where, reserved=_OURS)
    _check(context.params, where)
    return context


def _check(given: dict[str, Any], where: str) -> None:
    """Find mistakes that a training would tell only when it is the step's turn."""
    from fer_train import training

    try:
        training.check(fitting.chosen(given))
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from error


def _names(found: Recipe) -> list[str]:
    return [step.name for step in found.steps]


def _forget() -> None:
    """Let a step begin like a process of its own: without the layers, and the names, of those before."""
    from fer_train.keras_setup import keras

    keras.backend.clear_session()
