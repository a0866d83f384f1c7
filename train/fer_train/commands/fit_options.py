"""The options of a training, which several commands take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from fer_edge.command import FiniteRange
from fer_train import settings
from fer_train.commands import options
from fer_train.settings import FitSettings

_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(FitSettings)}


def _units(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        units = tuple(int(word) for word in value.split(",") if word.strip())
    except ValueError:
        units = (0,)
    if any(not 1 <= number <= 8192 for number in units):
        raise click.BadParameter(f"{value!r} is no list of layer sizes such as 128,64")
    return units


def _setting(name: str, kind: click.ParamType[Any], text: str) -> Callable[..., Any]:
    default = _DEFAULTS[name.removeprefix("--").replace("-", "_")]
    return click.option(name, default=default, show_default=default is not None, type=kind, help=text)


_OPTIONS = (
    options.data,
    options.labels,
    options.ferplus,
    options.split_seed,
    options.memory,
    click.option(
        "--drop-duplicates",
        is_flag=True,
        help="Leave out of training what occurs in the other splits, by equal pixels.",
    ),
    click.option(
        "--arch",
        default="mobilenetv2",
        show_default=True,
        metavar="NAME",
        help="Architecture; 'fer-train architectures' lists them.",
    ),
    _setting("--input-size", click.IntRange(8, 1024), "Rows and columns of the model's input, pixels."),
    click.option(
        "--channels",
        type=click.Choice(["1", "3"]),
        help="1: grey; 3: grey repeated, as ImageNet weights want.  [default: the architecture's own]",
    ),
    _setting("--alpha", FiniteRange(0.05, 4), "Width multiplier, for architectures that have one."),
    click.option(
        "--weights",
        default=_DEFAULTS["weights"],
        show_default=True,
        metavar="imagenet|none|FILE.h5",
        help="Where the backbone starts from; imagenet is downloaded.",
    ),
    click.option(
        "--start-from",
        metavar="RUN",
        help="Run folder of the same architecture: its weights, head and all, are where the training starts.",
    ),
    click.option(
        "--head",
        default=",".join(map(str, _DEFAULTS["head"])),
        show_default=True,
        callback=_units,
        metavar="N,N",
        help="Units of the dense ReLU layers before the softmax.",
    ),
    click.option("--batch-norm", is_flag=True, help="Batch normalization, for architectures that have it by choice."),
    _setting("--dropout", FiniteRange(0, 0.95), "Fraction of features dropped before the head."),
    _setting(
        "--l2",
        FiniteRange(0, 1),
        "Weight of the L2 penalty on kernels, for architectures that are not transferred.",
    ),
    _setting(
        "--augment",
        click.Choice(settings.AUGMENTATIONS),
        "light: mirror, rotate, zoom, shift a little; standard: more, with brightness and contrast; camera: with "
        "erasing, blur, few pixels, little light, noise and JPEG too; strong: with noise, random erasing, mixup and "
        "CutMix.",
    ),
    _setting(
        "--balance",
        click.Choice(settings.BALANCES),
        "class-weight: rare expressions weigh more in the loss; oversample: their faces are shown more often.",
    ),
    _setting("--epochs", click.IntRange(1), "Passes over the training images."),
    _setting("--batch-size", click.IntRange(1), "Images a step."),
    _setting("--optimizer", click.Choice(settings.OPTIMIZERS), "sgd has a Nesterov momentum of 0.9."),
    _setting("--learning-rate", FiniteRange(0, 10, min_open=True), "At the start, or where the warm-up leads to."),
    _setting(
        "--schedule",
        click.Choice(settings.SCHEDULES),
        "cosine: warm-up, then down to zero; step: times --decay every --decay-every epochs; plateau: times --decay "
        "after --decay-every epochs without a gain.",
    ),
    _setting("--warm-up", click.IntRange(0), "Epochs in which the schedule cosine rises from zero."),
    _setting("--decay", FiniteRange(0, 1, min_open=True, max_open=True), "Factor of the schedules step and plateau."),
    _setting("--decay-every", click.IntRange(1), "Epochs of the schedules step and plateau."),
    _setting("--weight-decay", FiniteRange(0, 1), "Of adamw and sgd, decoupled from the loss."),
    _setting("--label-smoothing", FiniteRange(0, 0.5), "Share of the target spread over all classes."),
    _setting("--monitor", click.Choice(settings.MONITORS), "What chooses the best epoch, and stops early."),
    _setting("--patience", click.IntRange(0), "Stop after so many epochs without a gain; 0: never."),
    _setting("--freeze-epochs", click.IntRange(0), "Epochs at the start in which the backbone stands still."),
    click.option("--fine-tune-from", metavar="BLOCK", help="First block trained afterwards.  [default: all]"),
    _setting(
        "--fine-tune-learning-rate",
        FiniteRange(0, 10, min_open=True),
        "Afterwards.  [default: the same as before]",
    ),
    click.option(
        "--calibrate/--no-calibrate",
        default=_DEFAULTS["calibrate"],
        show_default=True,
        help="At the end, divide the scores by a temperature that makes confidence mean what it says.",
    ),
    click.option("--mixed-precision", is_flag=True, help="Multiply in bfloat16, where the processor has it."),
    _setting("--seed", click.IntRange(0, 2**31 - 2000), "Of weights, order, augmentation and dropout."),
    click.option(
        "--out",
        type=click.Path(path_type=Path),
        help="The run folder; a run that stands there is kept as NAME-1, NAME-2.  [default: runs/ARCH-SIZE-TIME]",
    ),
    click.option("--resume", is_flag=True, help="Go on after the last epoch of an unfinished training in --out."),
    click.option("--tensorboard", is_flag=True, help="Write events for TensorBoard into the run folder."),
    click.option(
        "--strategy",
        default="single",
        show_default=True,
        type=click.Choice(["single", "multi-worker"]),
        help="multi-worker: this process is one of those that TF_CONFIG names; start the same command for each.",
    ),
)


def fit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a training to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
