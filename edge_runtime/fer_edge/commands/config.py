"""`fer-edge config`: the settings of `fer-edge run`, where they come from, what is wrong with a file of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from tabulate import tabulate

from fer_edge import configuration
from fer_edge.command import Group, writing_stdout
from fer_edge.commands import options
from fer_edge.errors import UsageError
from fer_edge.settings import Settings, document
from fer_edge.settings.keys import keys


@click.group(cls=Group)
def config() -> None:
    """Show, check and explain the settings of `fer-edge run`."""


@config.command()
@options.config
@options.assignments
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
def show(config_file: Path | None, assignments: tuple[str, ...], as_json: bool) -> None:
    """Print every setting as `fer-edge run` would have it, and where it comes from."""
    found = options.effective(config_file, assignments, {})
    values = msgspec.to_builtins(found.settings)
    rows = [
        {
            "key": key.name,
            "value": configuration.value_of(values, key.name),
            "from": found.origins.get(key.name, configuration.DEFAULT),
        }
        for key in keys(Settings)
    ]
    if as_json:
        _say(_json(rows))
        return
    for row in rows:
        row["value"] = msgspec.json.encode(row["value"]).decode()
    _say(tabulate(rows, headers="keys", disable_numparse=True))


@config.command()
@click.argument("file", default="-", type=click.Path(path_type=Path, allow_dash=True))
def check(file: Path) -> None:
    """Tell everything that is wrong with a configuration file, a line each; without FILE, with standard input.

    Exit code 2 where something is.
    """
    try:
        if str(file) == "-":
            given = configuration.from_text(_standard_input(), "standard input")
        else:
            given = configuration.from_file(file)
        findings = configuration.missing_files(configuration.effective(given).settings)
    except configuration.ConfigurationError as error:
        findings = error.findings
    for finding in findings:
        _say(finding)
    if findings:
        raise UsageError(f"{len(findings)} mistake{'s' if len(findings) > 1 else ''} in {file}")
    _say(f"{file}: ok")


@config.command()
def schema() -> None:
    """Print the JSON Schema of the settings, which editors use to complete and check."""
    _say(_json(msgspec.json.schema(Settings)))


@config.command()
def init() -> None:
    """Print a configuration file that explains every setting and changes none."""
    _say(document.toml(), nl=False)


@config.command("keys")
def list_keys() -> None:
    """Print tables of all settings as Markdown."""
    _say(document.markdown(), nl=False)


def _json(content: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def _say(text: str, *, nl: bool = True) -> None:
    with writing_stdout():
        click.echo(text, nl=nl)


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError as error:
        raise configuration.ConfigurationError([f"standard input: no text in UTF-8: {error}"]) from error
