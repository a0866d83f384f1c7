"""The command `fer-convert`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from tabulate import tabulate

from fer_edge.command import Command, FiniteRange
from fer_edge.errors import UsageError
from fer_train import datasets, run_folder
from fer_train.settings import AUGMENTATIONS


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
@click.option("--qat", is_flag=True, help="int8 after quantization-aware training on --data.")
@click.option("--data", type=click.Path(path_type=Path), help="What the run was trained on, for --qat.")
@click.option(
    "--qat-epochs", default=3, show_default=True, type=click.IntRange(1), help="Passes over the training images."
)
@click.option(
    "--qat-learning-rate",
    default=2e-4,
    show_default=True,
    type=FiniteRange(0, 1, min_open=True),
    help="Adam's, at its highest.",
)
@click.option(
    "--qat-augment",
    default="standard",
    show_default=True,
    type=click.Choice(AUGMENTATIONS),
    help="Level of augmentation.",
)
@click.version_option(package_name="fer-edge")
def main(
    run: Path | None,
    fp32: bool,
    int8: bool,
    out: Path,
    qat: bool,
    data: Path | None,
    qat_epochs: int,
    qat_learning_rate: float,
    qat_augment: str,
) -> None:
    """Convert a training run to TFLite files that describe themselves.

    RUN is a folder that fer-train left; without it, the newest under runs/. Each file is loaded again and compared with
    the float model on the run's held-out faces.
    """
    folder = run_folder.newest(Path("runs")) if run is None else run_folder.RunFolder(run)
    if qat and data is None:
        raise UsageError("--qat trains: give it the run's data with --data")
    if data is not None and not qat:
        raise UsageError("--data is for --qat: the other recipes need no more than the run")
    click.echo(f"converting {folder.path}", err=True)

    # TensorFlow takes seconds to import: after the run is known to be one, and never for --help.
    from fer_convert.converting import convert_run
    from fer_convert.qat import QatSettings, check_data
    from fer_convert.recipes import RECIPES

    wanted = {"fp32": fp32, "int8": int8 or not (fp32 or qat), "qat-int8": qat}
    chosen = [recipe for recipe in RECIPES if wanted[recipe.name]]
    tuning = None
    if qat and data is not None:
        settings = folder.info.settings
        found = datasets.load(
            data,
            labels=settings.labels,
            drop_duplicates=settings.drop_duplicates,
            ferplus=settings.ferplus,
            seed=settings.split_seed,
        )
        check_data(found, folder.info)
        tuning = found, QatSettings(epochs=qat_epochs, learning_rate=qat_learning_rate, augment=qat_augment)
    converted = convert_run(folder, chosen, out, tuning=tuning, say=click.echo, bar=sys.stdout.isatty())
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
