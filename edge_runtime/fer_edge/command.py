"""What the four commands share: errors in one line, exit codes, ends by signals, numbers that are numbers."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any, NoReturn

import click

from fer_edge.errors import FerError


class Command(click.Command):
    """A command that ends an error of the user's with one line on stderr and its exit code, without a traceback."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command and, unless told otherwise, end the process."""
        run: Any = super().main  # click types it by overloads, which pass nothing on
        if not standalone_mode:
            return run(*args, standalone_mode=False, **extra)
        try:
            sys.exit(run(*args, standalone_mode=False, **extra) or 0)
        except FerError as error:
            _fail(str(error), error.exit_code)
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _fail(f"{error.format_message()} (--help lists what can be given)", error.exit_code)
        except click.Abort:
            _fail("interrupted", 128 + signal.SIGINT)  # the convention of shells
        except Terminated:
            _fail("terminated", 128 + signal.SIGTERM)


class Group(Command, click.Group):
    """A group of such commands.

    Attributes:
        lazy: Names of commands and where they are, "package.module:function"; imported when they are asked for.
    """

    command_class = Command

    def __init__(self, *args: Any, lazy: Mapping[str, str] | None = None, **extra: Any) -> None:
        """Take what click takes, and `lazy`."""
        super().__init__(*args, **extra)
        self.lazy = dict(lazy or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands, sorted."""
        return sorted([*super().list_commands(ctx), *self.lazy])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Give a command, None where there is none of that name."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, name = self.lazy[cmd_name].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found


class Terminated(BaseException):
    """SIGTERM; like KeyboardInterrupt no Exception, so that nobody takes it for a failure of his own."""


@contextlib.contextmanager
def unwinding_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the command as Ctrl-C does: every `finally` runs, so that nothing half-written stays.

    Raises:
        Terminated: The signal came.
    """

    def end(_number: int, _frame: FrameType | None) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def writing_stdout() -> Iterator[None]:
    """Tell in one line that stdout cannot be written, as where it is a file on a full disk.

    A reader of a pipe that has left is no error of this kind: click ends quietly then.

    Raises:
        FerError: It cannot be written.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        give_up_stdout()
        raise FerError(f"cannot write the output: {error.strerror or error}") from error


def give_up_stdout() -> None:
    """Give stdout, which Python flushes once more at exit, somewhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class FiniteRange(click.FloatRange):
    """A range of real numbers; click's own lets "nan" through, which no comparison keeps out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Turn the text into a number within the range."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def _fail(message: str, exit_code: int) -> NoReturn:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(exit_code)


def warn(message: str) -> None:
    """Print one line of warning on stderr."""
    click.echo(f"warning: {message}", err=True)
