"""`fer-edge doctor`: what is right and what is wrong with this device, and what to do."""

from __future__ import annotations

import shutil
import sys
import textwrap
from pathlib import Path

import click
import msgspec

from fer_edge.command import Command, writing_stdout
from fer_edge.commands import options
from fer_edge.doctor import LEVELS, Finding, Level, examine, worst
from fer_edge.errors import FerError
from fer_edge.runtimes import RUNTIMES

_COLORS: dict[Level, str] = {"ok": "green", "warning": "yellow", "failure": "red"}
_LEVEL_WIDTH = max(map(len, LEVELS))
_CHECK_WIDTH = len("temperature")
_INDENT = " " * (_LEVEL_WIDTH + _CHECK_WIDTH + 4)


@click.command(cls=Command)
@options.model
@click.option(
    "--runtime",
    type=click.Choice([runtime.name for runtime in RUNTIMES]),
    metavar="NAME",
    help="The only interpreter to use.  [default: the first that is installed]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of lines.")
def doctor(model: Path | None, runtime: str | None, as_json: bool) -> None:
    """Examine this device: software, model, cameras, temperature, power, memory, disk, clock.

    Each line is ok, warning or failure, and says what to do. Exit code 1 where one is a failure.
    """
    findings = []
    with writing_stdout():
        for finding in examine(model=model, runtime=runtime):
            findings.append(finding)
            if not as_json:
                click.echo(_line(finding))
        if as_json:
            content = {"level": worst(findings), "findings": findings}
            click.echo(msgspec.json.format(msgspec.json.encode(content), indent=2).decode())
    failed, warned = (sum(one.level == level for one in findings) for level in ("failure", "warning"))
    if failed:
        raise FerError(f"{failed} of {len(findings)} lines tell of a failure: do what they say, the first one first")
    if not as_json:
        with writing_stdout():
            click.echo(f"no failure, {warned or 'no'} warning{'s' if warned != 1 else ''}")


def _line(finding: Finding) -> str:
    """Lay a finding out: one line, on a terminal as many as its width asks for."""
    level = click.style(finding.level.ljust(_LEVEL_WIDTH), fg=_COLORS[finding.level])
    text = finding.found if finding.advice is None else f"{finding.found} -> {finding.advice}"
    if sys.stdout is not None and sys.stdout.isatty():
        width = max(40, shutil.get_terminal_size().columns - len(_INDENT))
        lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
        text = f"\n{_INDENT}".join(lines)
    return f"{level}  {finding.check.ljust(_CHECK_WIDTH)}  {text}"
