"""The command `fer-convert`."""

from __future__ import annotations

from pathlib import Path

import click
from tabulate import tabulate

from fer_edge.command import Command
from fer_train import run_folder


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--fp32", is_flag=True, help="Keep float32 weights.")
@click.option("--int8", is_flag=True, help="Full-integer int8, a quarter of the bytes; the default.")
@click.option(
    "--out",
    default=Path("models"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for NAME-RECIPE.tflite and NAME-RECIPE.json.",
)
@click.version_option(package_name="fer-edge")
def main(run: Path | None, fp32: bool, int8: bool, out: Path) -> None:
    """Convert a training run to TFLite files that describe themselves.

    RUN is a folder that fer-train left; without it, the newest under runs/. Each file is loaded again and compared with
    the float model on the run's held-out faces.
    """
    folder = run_folder.newest(Path("runs")) if run is None else run_folder.RunFolder(run)
    click.echo(f"converting {folder.path}", err=True)

    # TensorFlow takes seconds to import: after the run is known to be one, and never for --help.
    from fer_convert.converting import convert_run
    from fer_convert.recipes import RECIPES

    wanted = {"fp32": fp32, "int8": int8 or not fp32}
    chosen = [recipe for recipe in RECIPES if wanted[recipe.name]]
    converted = convert_run(folder, chosen, out)
    rows = [
        {
            "file": str(one.path),
            "bytes": one.report.bytes,
            "agreement %": 100 * one.report.agreement,
            "float accuracy %": 100 * one.report.float_accuracy.value,
            "accuracy %": 100 * one.report.accuracy.value,
        }
        for one in converted
    ]
    click.echo(tabulate(rows, headers="keys", floatfmt=".2f", intfmt=","))
    split = folder.info.accuracy.split
    click.echo(f"on {converted[0].report.images} held-out faces ({split})")
