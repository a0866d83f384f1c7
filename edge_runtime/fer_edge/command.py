"""What the four commands share: errors in one line, exit codes, the version."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import click

from fer_edge.errors import FerError


class Command(click.Command):
    """A click command that ends a `FerError` with its message on stderr and its exit code, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except FerError as error:
            fail(error)
        except KeyboardInterrupt:
            # The convention of shells: 128 + SIGINT.
            click.echo("interrupted", err=True)
            sys.exit(130)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type


def fail(error: FerError) -> NoReturn:
    """Print an error in one line and end with its exit code."""
    click.echo(f"error: {' '.join(str(error).split())}", err=True)
    sys.exit(error.exit_code)


def warn(message: str) -> None:
    """Print one line of warning on stderr."""
    click.echo(f"warning: {message}", err=True)
