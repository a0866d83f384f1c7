"""The options of `fer-convert` by what they are for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from fer_convert.foreign import Foreign
from fer_convert.recipes import MAX_SPARSITY, RECIPES, Recipe, Sparsity
from fer_edge.command import FiniteRange
from fer_edge.errors import UsageError
from fer_train.commands.options import names
from fer_train.settings import AUGMENTATIONS

POST_TRAINING = tuple(recipe for recipe in RECIPES if not recipe.trained)


class Ratio(FiniteRange):
    """A number, or a quotient of two: 0.5, 1/255, -127.5/127.5."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn the text into a number within the range."""
        above, slash, below = str(value).partition("/")
        try:
            number: float = super().convert(float(above) / float(below) if slash else value, param, ctx)
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is no quotient of two numbers.", param, ctx)
        return number


class Share(click.ParamType):  # type: ignore[type-arg]  # generic in newer click only
    """A sparsity: a share of weights, or 2:4."""

    name = "sparsity"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Sparsity:
        """Turn the text into a sparsity."""
        try:
            return Sparsity.parse(str(value))
        except ValueError:
            self.fail(
                f"{value!r} is no sparsity: give a share of weights above 0 and up to {MAX_SPARSITY}, or 2:4.",
                param,
                ctx,
            )


def _passes(name: str, what: str, epochs: int, rate: float) -> tuple[Callable[..., Any], ...]:
    """Give the options of how long and how fast to fine-tune."""
    return (
        click.option(
            f"--{name}-epochs",
            default=epochs,
            show_default=True,
            type=click.IntRange(1),
            help=f"Passes over the training images of {what}.",
        ),
        click.option(
            f"--{name}-learning-rate",
            default=rate,
            show_default=True,
            type=FiniteRange(0, 1, min_open=True),
            help=f"Of {what}: Adam's, at its highest.",
        ),
    )


_TUNING = (
    click.option("--qat", is_flag=True, help="int8 after quantization-aware training on --data."),
    *_passes("qat", "the quantization-aware training", 1, 2e-5),
    click.option(
        "--prune",
        type=Share(),
        metavar="S|2:4",
        help="Make that share of the weights, or two of each four in a row, zero while training on --data; the chosen "
        "recipes convert the pruned model, --all both.",
    ),
    click.option(
        "--prune-even",
        is_flag=True,
        help="The same share of zeros in each layer, as the sparse kernels of a processor want.  [default: small "
        "layers keep more]",
    ),
    *_passes("prune", "the pruning", 6, 5e-4),
    click.option(
        "--augment",
        default="standard",
        show_default=True,
        type=click.Choice(AUGMENTATIONS),
        help="Augmentation while --qat and --prune train.",
    ),
    click.option(
        "--teacher",
        "teachers",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="RUN",
        help="What --qat and --prune learn from; may be given several times.  [default: the float model itself]",
    ),
)

_FACES = (
    click.option(
        "--data",
        type=click.Path(path_type=Path),
        help="fer2013.csv or folders of faces, as in fer-train: what the run was trained on, for --qat, --prune and "
        "more --calibration; always with a foreign model.",
    ),
    click.option(
        "--calibration",
        type=click.IntRange(2),
        metavar="N",
        help="Training faces for the ranges of activations, each class in its share.  [default: what the run kept; "
        "500 of --data]",
    ),
)

_FOREIGN = (
    click.option("--labels", metavar="NAME,NAME", help="Of a foreign model: its expressions in the order it has them."),
    click.option(
        "--scale",
        type=Ratio(0, 1, min_open=True),
        metavar="NUMBER",
        help="Of a foreign model: a pixel p of 0..255 becomes p * scale + offset; such as 1/255.",
    ),
    click.option(
        "--offset", type=Ratio(-255, 255), metavar="NUMBER", help="Of a foreign model: see --scale.  [default: 0]"
    ),
    click.option("--logits", is_flag=True, help="Of a foreign model: it ends before the softmax; append one."),
)


def recipes(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add a flag for each recipe that needs no training, and --all."""
    command = click.option("--all", "every", is_flag=True, help="All of the above.")(command)
    for recipe in reversed(POST_TRAINING):
        command = click.option(f"--{recipe.name}", is_flag=True, help=f"{recipe.summary}.")(command)
    return command


def tuning(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of recipes that train."""
    return _add(command, _TUNING)


def faces(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which faces to use."""
    return _add(command, _FACES)


def foreign(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what a foreign model does not."""
    return _add(command, _FOREIGN)


def chosen(given: dict[str, Any]) -> list[Recipe]:
    """Give the recipes that were asked for, in their order; int8 where none was.

    Raises:
        UsageError: They exclude each other.
    """
    every, qat, sparsity = given["every"], given["qat"], given["prune"]
    floats = [r.name for r in POST_TRAINING if given[r.name] and not r.calibrated]
    if qat and floats and not every:
        raise UsageError(
            f"--qat is for integers: leave out {', '.join(f'--{name}' for name in floats)}, or take all with --all"
        )
    wanted = [recipe for recipe in RECIPES if (qat if recipe.trained else every or given[recipe.name])]
    wanted = wanted or [recipe for recipe in RECIPES if recipe.name == "int8"]
    if given["prune_even"] and (sparsity is None or sparsity.pattern is not None):
        raise UsageError("--prune-even is for --prune S: it says where the zeros go")
    if sparsity is not None:
        sparsity = replace(sparsity, even=given["prune_even"])
    pruned = [] if sparsity is None else [recipe.pruned(sparsity) for recipe in wanted]
    return [*wanted, *pruned] if every or not pruned else pruned


def as_foreign(path: Path, given: dict[str, Any]) -> Foreign:
    """Gather what was told of a foreign model.

    Raises:
        UsageError: Something that only its owner knows is missing.
    """
    needed = {"labels": given["labels"], "scale": given["scale"], "data": given["data"]}
    if missing := [f"--{name}" for name, value in needed.items() if value is None]:
        raise UsageError(
            f"{path} was not made by fer-train, and does not tell enough: give {', '.join(missing)} "
            "(labelled faces to calibrate with and to compare on)"
        )
    return Foreign(
        path=path,
        labels=names(given["labels"]) or (),
        scale=given["scale"],
        offset=given["offset"] or 0.0,
        logits=given["logits"],
        data=given["data"],
    )


def refuse_foreign(given: dict[str, Any]) -> None:
    """Refuse what only a foreign model leaves open.

    Raises:
        UsageError: One of those options is given.
    """
    if wrong := [f"--{name}" for name in ("labels", "scale", "offset", "logits") if given[name] not in (None, False)]:
        raise UsageError(f"{', '.join(wrong)} is for models that fer-train did not make: a run tells it itself")


def _add(command: Callable[..., Any], options: tuple[Callable[..., Any], ...]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command
