"""The command `fer-train`."""

from __future__ import annotations

import click

from fer_edge.command import Group
from fer_train.commands.calibrate import calibrate
from fer_train.commands.compare import compare
from fer_train.commands.distil import distil
from fer_train.commands.ensemble import ensemble
from fer_train.commands.evaluate import evaluate
from fer_train.commands.fit import fit
from fer_train.commands.inspect import inspect
from fer_train.commands.list_architectures import list_architectures
from fer_train.commands.recipe import recipe


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fer-edge")
def main() -> None:
    """Train facial-expression models on the workstation."""


for command in (calibrate, compare, distil, ensemble, evaluate, fit, inspect, list_architectures, recipe):
    main.add_command(command)
