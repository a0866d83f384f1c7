"""`fer-train fit`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from fer_edge.command import Command, FiniteRange
from fer_edge.errors import UsageError
from fer_train import architectures, run_folder
from fer_train.commands import options


def _units(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        units = tuple(int(word) for word in value.split(",") if word.strip())
    except ValueError:
        units = (0,)
    if any(not 1 <= number <= 8192 for number in units):
        raise click.BadParameter(f"{value!r} is no list of layer sizes such as 128,64")
    return units


@click.command(cls=Command)
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="fer2013.csv, or a folder with train/CLASS/ and test/CLASS/.",
)
@click.option(
    "--arch",
    default="mobilenetv2",
    show_default=True,
    metavar="NAME",
    help="Architecture; 'fer-train architectures' lists them.",
)
@click.option(
    "--input-size",
    default=96,
    show_default=True,
    type=click.IntRange(8, 1024),
    help="Rows and columns of the model's input, pixels.",
)
@click.option(
    "--channels",
    type=click.Choice(["1", "3"]),
    help="1: grey; 3: grey repeated, as ImageNet weights want.  [default: the architecture's own]",
)
@click.option("--alpha", default=1.0, show_default=True, type=FiniteRange(0.05, 4), help="Width multiplier.")
@click.option(
    "--weights",
    default="none",
    show_default=True,
    metavar="imagenet|none|FILE.h5",
    help="Where the backbone starts from; imagenet is downloaded.",
)
@click.option(
    "--head",
    default="128,64",
    show_default=True,
    callback=_units,
    metavar="N,N",
    help="Units of the dense ReLU layers before the softmax.",
)
@click.option(
    "--dropout",
    default=0.0,
    show_default=True,
    type=FiniteRange(0, 0.95),
    help="Fraction of features dropped before the head.",
)
@click.option(
    "--augment",
    default="light",
    show_default=True,
    type=click.Choice(run_folder.AUGMENTATIONS),
    help="light: mirror, rotate, zoom, shift a little; standard: more, with brightness and contrast.",
)
@click.option(
    "--epochs", default=20, show_default=True, type=click.IntRange(1), help="Passes over the training images."
)
@click.option("--batch-size", default=64, show_default=True, type=click.IntRange(1), help="Images a step.")
@click.option(
    "--learning-rate",
    default=1e-3,
    show_default=True,
    type=FiniteRange(0, 10, min_open=True),
    help="Adam's, at the start.",
)
@click.option(
    "--schedule",
    default="cosine",
    show_default=True,
    type=click.Choice(run_folder.SCHEDULES),
    help="cosine: one epoch of warm-up, then down to zero.",
)
@click.option(
    "--l2",
    default=0.0,
    show_default=True,
    type=FiniteRange(0, 1),
    help="Weight of the L2 penalty on kernels, for architectures that are not transferred.",
)
@click.option("--batch-norm", is_flag=True, help="Batch normalization, for architectures that have it by choice.")
@click.option(
    "--label-smoothing",
    default=0.0,
    show_default=True,
    type=FiniteRange(0, 0.5),
    help="Share of the target spread over all classes.",
)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(0, 2**31 - 8),
    help="Of weights, order and augmentation.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The run folder; a run that stands there is kept as NAME-1, NAME-2.  [default: runs/ARCH-SIZE-TIME]",
)
@click.option("--labels", metavar="NAME,NAME", help="Train on these expressions alone.  [default: all]")
@click.option(
    "--drop-duplicates", is_flag=True, help="Leave out of training what occurs in the other splits, by equal pixels."
)
def fit(
    data: Path,
    arch: str,
    out: Path | None,
    channels: str | None,
    labels: str | None,
    drop_duplicates: bool,
    **settings: Any,
) -> None:
    """Train a model and leave a run folder for fer-convert.

    The weights of the epoch that is best on the selection split (PublicTest, or test/) are kept.
    """
    if arch not in architectures.REGISTRY.names():
        raise UsageError(f"no architecture is called {arch!r}; 'fer-train architectures' lists them")
    names = options.names(labels)
    found = options.load(data, names, drop_duplicates=drop_duplicates)
    counts = ", ".join(f"{name} {len(split)}" for name, split in found.splits.items())
    click.echo(f"{found.name}: {counts} images, {len(found.labels)} classes", err=True)
    if out is None:
        out = Path("runs") / f"{arch}-{settings['input_size']}-{time.strftime('%Y%m%d-%H%M%S')}"

    # TensorFlow takes seconds to import: after the data is known to be good, and never for --help.
    from fer_train.fitting import fit as train
    from fer_train.run_folder import FitSettings

    number = int(channels or architectures.REGISTRY.load(arch).CHANNELS[0])
    chosen = FitSettings(
        data=str(data), arch=arch, channels=number, labels=names, drop_duplicates=drop_duplicates, **settings
    )
    info = train(chosen, found, out, verbose=1 if sys.stdout.isatty() else 2)
    click.echo(f"best epoch {info.best_epoch} of {len(info.epochs)}: {info.accuracy}")
    for label, recall in info.recalls.items():
        click.echo(f"  {label:10} " + ("no image" if recall is None else f"recall {100 * recall:5.1f} %"))
    click.echo(f"wrote {out} ({info.parameters:,} parameters, {info.seconds:.0f} s)")
