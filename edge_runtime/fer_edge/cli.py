"""The command `fer-edge`."""

from __future__ import annotations

import click

from fer_edge.command import Group


@click.group(
    cls=Group,
    lazy={
        "config": "fer_edge.commands.config:config",
        "doctor": "fer_edge.commands.doctor:doctor",
        "models": "fer_edge.commands.models:models",
        "run": "fer_edge.commands.run:run",
        "serve": "fer_edge.commands.serve:serve",
        "service": "fer_edge.commands.service:service",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="fer-edge")
def main() -> None:
    """Recognise facial expressions on the device."""
