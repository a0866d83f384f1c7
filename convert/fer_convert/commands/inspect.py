"""`fer-convert inspect`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from fer_edge import files
from fer_edge.command import Command


@click.command("inspect", cls=Command)
@click.argument("model", metavar="MODEL.tflite", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of the tables.")
def inspect(model: Path, as_json: bool) -> None:
    """Show what is in a model file, ours or another's: layers, shapes, types, quantization, sparsity, metadata."""
    content = files.read_bytes(model, "model")
    from fer_convert import inspecting

    found = inspecting.inspect(model, content)
    click.echo(
        msgspec.json.format(msgspec.json.encode(found), indent=2).decode() if as_json else inspecting.as_text(found)
    )
