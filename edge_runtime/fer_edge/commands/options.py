"""Options that several commands of `fer-edge` take."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import click

from fer_edge import configuration
from fer_edge.errors import UsageError
from fer_edge.settings import RuntimeName

threads = click.option(
    "--threads", type=click.IntRange(1, 64), help="To compute with.  [default: all cores but one, at most 4]"
)
runtime = click.option(
    "--runtime",
    type=click.Choice([name for name in get_args(RuntimeName) if name != "auto"]),
    help="The only interpreter to use.  [default: the first that is installed]",
)
config = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    envvar=configuration.CONFIG_VARIABLE,
    help="Settings in TOML; 'fer-edge config init' writes one.",
)
assignments = click.option(
    "--set",
    "assignments",
    metavar="KEY=VALUE",
    multiple=True,
    help="Any setting of the file, such as detector.haar.scale_factor=1.1; 'fer-edge config keys' lists them.",
)


def effective(
    config_file: Path | None, assignments: tuple[str, ...], flags: Mapping[str, Any]
) -> configuration.Effective:
    """Join file, environment and command line.

    Args:
        config_file: None for none.
        assignments: "key=value" each.
        flags: By key; None where a flag was not given.

    Raises:
        FerError: The file cannot be read.
        ConfigurationError: With everything that is wrong in any of them.
    """
    given = configuration.from_file(config_file) if config_file is not None else []
    given += configuration.from_environment(os.environ)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set {assignment!r}: give KEY=VALUE, such as detector.haar.scale_factor=1.1")
        given.append(configuration.Given(key.strip(), value.strip(), "--set", is_text=True))
    given += [configuration.Given(key, value, "command line") for key, value in flags.items() if value is not None]
    return configuration.effective(given)
