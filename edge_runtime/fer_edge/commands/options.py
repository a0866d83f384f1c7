"""Options that several commands of `fer-edge` take."""

from __future__ import annotations

import click

from fer_edge import interpreter

threads = click.option(
    "--threads", type=click.IntRange(1, 64), help="To compute with.  [default: all cores but one, at most 4]"
)
runtime = click.option(
    "--runtime",
    type=click.Choice([runtime.name for runtime in interpreter.RUNTIMES]),
    help="The only interpreter to use.  [default: the first that is installed]",
)
