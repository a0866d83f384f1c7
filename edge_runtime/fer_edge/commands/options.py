"""Options that several commands of `fer-edge` take."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

import click

from fer_edge import configuration
from fer_edge.command import FiniteRange
from fer_edge.errors import UsageError
from fer_edge.models import DEFAULT, shipped_models
from fer_edge.settings import RuntimeName
from fer_edge.settings.loop import LoopSettings

_LOOP = LoopSettings()


class Model(click.Path):
    """The path of a model file, or the name of a shipped one."""

    def __init__(self) -> None:
        """Give paths."""
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn what is given into a path; a name that no shipped model has is a path itself."""
        named = {path.stem: path for path in shipped_models()}
        return named.get(str(value)) or super().convert(value, param, ctx)


model = click.option(
    "--model",
    type=Model(),
    metavar="FILE|NAME",
    help=f"A .tflite that fer-convert wrote, or a shipped model's name ('fer-edge models list').  [default: {DEFAULT}]",
)
smoothing = click.option(
    "--smoothing",
    type=FiniteRange(0, 60),
    metavar="SECONDS",
    help=f"Time constant of the average of a face's probabilities; 0 for none.  [default: {_LOOP.smoothing_s}]",
)
min_confidence = click.option(
    "--min-confidence",
    type=FiniteRange(0, 1),
    help=f"Below this probability an expression is called uncertain.  [default: {_LOOP.min_confidence}]",
)
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


def page(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of pages."""
    for name, text in (
        ("--tls-key", "Private key (PEM), where the certificate's file has none."),
        ("--tls-cert", "Certificate (PEM) with its chain, for https."),
        ("--token-file", "File whose first line is the token.  [default: one is made, but for this machine alone]"),
    ):
        command = click.option(name, metavar="FILE", type=click.Path(path_type=Path), help=text)(command)
    return command


def of_page(given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn them into keys of the settings."""
    return {f"preview.{name}": given[name] and str(given[name]) for name in ("token_file", "tls_cert", "tls_key")}


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
