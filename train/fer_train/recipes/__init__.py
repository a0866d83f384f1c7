"""Recipes of models: TOML files that say how a shipped model is trained and converted, from data to `.tflite`.

    summary = "What the model is."

    [[step]]
    name = "teacher"
    [step.fit]                 # the options of fer-train fit, by their names
    arch = "resnet-small"
    input-size = 48

    [[step]]
    name = "nano"              # the last step gives the model, and its name
    [step.distil]              # the options of fer-train distil
    teacher = ["teacher"]      # earlier steps, as for start-from
    arch = "cnn-1"

    [convert]                  # the options of fer-convert
    int8 = true

This package reads them; `fer_train.commands.recipe` runs the steps, and fer-convert reads `[convert]`. What the options
may be is known to those commands alone.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from fer_edge import files
from fer_edge.errors import UsageError

SUFFIX = ".toml"
_FOLDER = Path(__file__).parent
# Bytes, and characters of a line: `tomllib` takes time by the square of a key's length.
_LARGEST = 1 << 16
_LONGEST_LINE = 1 << 12
_HAS = "a recipe has summary, [[step]] with name and [step.fit] or [step.distil], and [convert]"

Value = bool | int | float | str | list[int | float | str]
Options = dict[str, Value]
# A step's name is a folder's, and the model's.
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]*\Z", max_length=64)]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A training.

    Attributes:
        name: Of the run folder.
        fit: Options of `fer-train fit`, by their names without dashes in front.
        distil: Options of `fer-train distil`; one of the two is there.
    """

    name: Name
    fit: Options | None = None
    distil: Options | None = None

    @property
    def command(self) -> Literal["fit", "distil"]:
        """Name of the command that does it."""
        return "distil" if self.fit is None else "fit"

    @property
    def options(self) -> Options:
        """Options of that command."""
        return (self.distil if self.fit is None else self.fit) or {}


# Options that name runs, and in a recipe steps.
OF_STEPS = ("teacher", "start-from")


class _Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"steps": "step"}):
    summary: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    steps: Annotated[tuple[Step, ...], msgspec.Meta(min_length=1)]
    convert: Options = {}


@dataclass(frozen=True)
class Recipe:
    """How a model is made.

    Attributes:
        name: Of the recipe: of its file.
        path: The file.
        summary: One line for people.
        steps: Trainings in their order; the last gives the model.
        convert: Options of `fer-convert`, by their names.
    """

    name: str
    path: Path
    summary: str
    steps: tuple[Step, ...]
    convert: Options


def shipped() -> tuple[str, ...]:
    """Name the recipes that ship with the package."""
    return tuple(sorted(path.stem for path in _FOLDER.glob(f"*{SUFFIX}")))


def load(which: str) -> Recipe:
    """Read a recipe.

    Args:
        which: Name of a shipped one, or the path of a `.toml` file.

    Raises:
        UsageError: There is none of that name, or the file says what cannot be meant.
        FerError: The file cannot be read.
    """
    path = Path(which) if which.endswith(SUFFIX) else _FOLDER / f"{which}{SUFFIX}"
    if not which.endswith(SUFFIX) and which not in shipped():
        raise UsageError(f"no recipe is called {which!r}; there are {', '.join(shipped())}, or give a {SUFFIX} file")
    found = _document(path)
    for number, step in enumerate(found.steps):
        _check(step, [earlier.name for earlier in found.steps[:number]], path)
    named(found.convert, "teacher", [step.name for step in found.steps], f"{path}: [convert]")
    return Recipe(path.stem, path, found.summary, found.steps, found.convert)


def named(options: Options, option: str, known: list[str], where: str) -> tuple[str, ...]:
    """Give the steps that an option names.

    Args:
        options: Of a step or a conversion.
        option: One of `OF_STEPS`.
        known: Names of the steps that it may name.
        where: Begins the message of an error.

    Raises:
        UsageError: One of them is no such step.
    """
    given = options.get(option, [])
    names = given if isinstance(given, list) else [given]
    for name in names:
        if name not in known:
            there = f"; there are {', '.join(known)}" if known else ", and there is none before it"
            raise UsageError(f"{where}: {option} = {name!r} names no step{there}")
    return tuple(map(str, names))


def _document(path: Path) -> _Document:
    content = files.read_bytes(path, "recipe", largest=_LARGEST)
    if max(map(len, content.splitlines()), default=0) > _LONGEST_LINE:
        raise UsageError(f"{path}: a line is longer than {_LONGEST_LINE:,} characters: no recipe's is")
    try:
        return msgspec.convert(tomllib.loads(content.decode()), _Document)
    except msgspec.ValidationError as error:
        # msgspec counts from 0 and writes "$.step[0].name" for the place.
        what = re.sub(r"step\[(\d+)\]", lambda found: f"step {int(found[1]) + 1}", str(error).replace("`$.", "`"))
        raise UsageError(f"{path}: {what}; {_HAS}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: no recipe: nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are
        raise UsageError(f"{path}: no TOML in UTF-8: {error}") from error


def _check(step: Step, earlier: list[str], path: Path) -> None:
    where = f"{path}: step {step.name!r}"
    if (step.fit is None) == (step.distil is None):
        raise UsageError(f"{where}: has {'neither' if step.fit is None else 'both'} of [step.fit] and [step.distil]")
    if step.name in earlier:
        raise UsageError(f"{where}: an earlier step has that name")
    found = {option: named(step.options, option, earlier, where) for option in OF_STEPS}
    if step.command == "distil" and not found["teacher"]:
        raise UsageError(f"{where}: [step.distil] needs teacher = [...], names of earlier steps")
