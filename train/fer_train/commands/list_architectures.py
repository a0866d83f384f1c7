"""`fer-train architectures`."""

from __future__ import annotations

import click
from tabulate import tabulate

from fer_edge.command import Command
from fer_train import architectures


@click.command("architectures", cls=Command)
@click.option("--input-size", default=48, show_default=True, type=click.IntRange(8, 1024), help="Pixels.")
@click.option("--classes", default=7, show_default=True, type=click.IntRange(2, 100), help="Number of expressions.")
def list_architectures(input_size: int, classes: int) -> None:
    """List the architectures with their cost."""
    from fer_train.cost import multiply_accumulates

    rows = []
    for name in architectures.REGISTRY.names():
        module = architectures.REGISTRY.load(name)
        channels = module.CHANNELS[0]
        model = architectures.build(name, architectures.Plan(max(input_size, module.SMALLEST_INPUT), channels, classes))
        rows.append(
            {
                "name": name,
                "input": f"{model.input_shape[1]} x {model.input_shape[2]} x {channels}",
                "parameters": model.count_params(),
                "multiply-accumulates": multiply_accumulates(model),
                "what": module.SUMMARY,
            }
        )
    click.echo(tabulate(rows, headers="keys", intfmt=","))
