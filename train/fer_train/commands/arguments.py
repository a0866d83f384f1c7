"""Options that a recipe gives to a command: checked by the command itself, before anything runs."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from typing import Any

import click

from fer_edge.errors import UsageError
from fer_train.recipes import Options, Value


def prepared(
    command: click.Command,
    options: Options,
    more: Sequence[str],
    where: str,
    *,
    reserved: Collection[str],
) -> click.Context:
    """Let a command take the options of a recipe, without running it.

    Args:
        command: Such as `fer-train fit`.
        options: Name without dashes in front to value; a list where the option may be repeated or takes commas.
        more: Arguments that the recipe does not say.
        where: Begins the message of an error: file and step.
        reserved: Names of options that belong to who runs the recipe.

    Returns:
        What `command.invoke` runs.

    Raises:
        UsageError: An option is not known, or has a value that it cannot have.
    """
    known = {
        name.removeprefix("--"): option
        for option in command.params
        if isinstance(option, click.Option)
        for name in option.opts
        if name.startswith("--") and name.removeprefix("--") not in reserved
    }
    given: list[str] = []
    for name, value in options.items():
        if name in reserved:
            raise UsageError(f"{where}: {name} is for the command line, not for a recipe")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1, 0.6)
            what = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise UsageError(f"{where}: {command.name} has no option {name!r}; {what}")
        given += _written(known[name], name, value, where)
    try:
        return command.make_context(command.name, [*given, *more])
    except click.UsageError as error:
        raise UsageError(f"{where}: {error.format_message()}") from error


def _written(option: click.Option, name: str, value: Value, where: str) -> list[str]:
    """Write an option as on the command line."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise UsageError(f"{where}: {name} = {value!r} cannot be: give true or false")
        return [f"--{name}"] if value else []
    if isinstance(value, bool):
        raise UsageError(f"{where}: {name} = {str(value).lower()} cannot be: it takes a value, not true or false")
    values: list[Any] = value if isinstance(value, list) else [value]
    if not option.multiple:
        values = [",".join(map(str, values))]
    return [f"--{name}={one}" for one in values]
