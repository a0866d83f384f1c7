"""How fast models are beside mini-XCEPTION, the 58,423-parameter network that others know (arXiv:1710.07557).

    python benchmarks/reference_speed.py mobilenetv2-int8.tflite --untrained resnet-small@48

mini-XCEPTION is built with random weights, which cost the same as trained ones, and converted by fer-convert's own
code: float32 and int8, 64 x 64 pixels as published and 48 x 48 as FER2013's faces are. All take turns in one run, as
in fer-bench. The ratios are those of the medians of each round, with their 95 % intervals. An architecture can be timed
in the same way before it is trained for hours.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from tabulate import tabulate

from fer_bench import latency, statistics, variants
from fer_bench.conditions import Watch
from fer_bench.latency import Effort, Samples
from fer_bench.variants import Variant
from fer_convert import calibration
from fer_convert.converting import Wanted, convert_model
from fer_convert.parent import Parent, origin
from fer_convert.recipes import RECIPES
from fer_edge.command import Command, FiniteRange, warn
from fer_edge.errors import ModelError
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import InputSpec, read_model
from fer_edge.models import shipped_models
from fer_edge.self_test import face
from fer_train import architectures
from fer_train.datasets import Split
from fer_train.keras_setup import keras, tf
from fer_train.settings import FitSettings

_ARCH = "mini-xception"
_SIZES = (48, 64)
_FACE_SIZE = 48
_RECIPES = ("fp32", "int8")
_FACES = 70


def random_weights(arch: str, size: int, recipes: Sequence[str], folder: Path) -> list[Path]:
    """Build a network with random weights for an input of some pixels, and convert it by some recipes."""
    keras.utils.set_random_seed(1)
    module = architectures.REGISTRY.load(arch)
    channels = module.CHANNELS[0]
    model = architectures.build(arch, architectures.Plan(size, channels, len(EXPRESSIONS)))
    spec = InputSpec(
        height=size,
        width=size,
        channels=channels,
        color="gray" if channels == 1 else "rgb",
        scale=module.INPUT_SCALE,
        offset=module.INPUT_OFFSET,
        face_size=_FACE_SIZE if size > _FACE_SIZE else None,
    )
    seeds = range(1, _FACES + 1)
    made = Split(tuple(face(seed, _FACE_SIZE, _FACE_SIZE) for seed in seeds), np.arange(_FACES) % len(EXPRESSIONS))
    parent = Parent(
        name=f"{arch}-{size}",
        path=Path(arch),
        model=model,
        labels=EXPRESSIONS,
        input=spec,
        parameters=int(model.count_params()),
        origin=origin("random", arch, "made faces", ""),
        settings=FitSettings(data="", arch=arch, input_size=size),
        calibration=calibration.draw(made, EXPRESSIONS, None, data="made faces", seed=1),
        held_out=made,
        split="made",
    )
    chosen = [recipe for recipe in RECIPES if recipe.name in recipes]
    return [done.path for done in convert_model(parent, Wanted(chosen, folder, max_drop=100.0))]


def rows(found: list[Variant], samples: list[Samples], references: int, seed: int) -> list[dict[str, str]]:
    """Give a row a model, its ratio to each of the first `references` in a column of its own."""
    table = []
    for variant, mine in zip(found, samples, strict=True):
        (p50,) = statistics.percentiles(mine.rounds_ms, (50,), seed)
        row = {
            "model": variant.title,
            "bytes": f"{len(variant.content):,}",
            "p50 ms (95 %)": f"{p50.value:.3f} ({p50.low:.3f} to {p50.high:.3f})",
        }
        for other, theirs in zip(found[:references], samples[:references], strict=True):
            time = statistics.ratio(mine.medians, theirs.medians, other.title, seed).time
            same = other is variant
            row[f"/ {other.title}"] = "1" if same else f"{time.value:.3f} ({time.low:.3f} to {time.high:.3f})"
        table.append(row)
    return table


class Sized(click.ParamType):
    """An architecture and the rows and columns of its input: nano@48."""

    name = "sized"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Turn the text into the two."""
        arch, _, size = str(value).partition("@")
        if not size.isdecimal() or not 8 <= int(size) <= 1024:
            self.fail(f"{value!r} is no architecture with a size of 8 to 1024 pixels, such as nano@48", param, ctx)
        return arch, int(size)


@click.command(cls=Command)
@click.argument("models", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--untrained",
    multiple=True,
    type=Sized(),
    metavar="ARCH@SIZE",
    help="An architecture with random weights, in int8.",
)
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1, 64), help="Of the interpreter.")
@click.option("--runtime", help="Interpreter.  [default: the first that is installed]")
@click.option("--runs", default=latency.RUNS, show_default=True, type=click.IntRange(1), help="Of each, at least.")
@click.option(
    "--seconds", default=Effort.seconds, show_default=True, type=FiniteRange(0, 3600), help="Of each, at least."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Of the order and the intervals.")
@click.option("--markdown", is_flag=True, help="Print the table for a document.")
def main(
    models: tuple[Path, ...],
    untrained: tuple[tuple[str, int], ...],
    threads: int,
    runtime: str | None,
    runs: int,
    seconds: float,
    seed: int,
    markdown: bool,
) -> None:
    """Compare MODELS (.tflite; without any, the shipped ones) with mini-XCEPTION in one run."""
    paths = variants.find(models or shipped_models())
    for path in paths:
        read_model(path)
    tf.get_logger().setLevel("ERROR")  # it warns of many networks in one process
    with tempfile.TemporaryDirectory() as folder:
        made = [path for size in _SIZES for path in random_weights(_ARCH, size, _RECIPES, Path(folder))]
        more = [path for arch, size in untrained for path in random_weights(arch, size, ("int8",), Path(folder))]
        found = variants.load([*made, *paths, *more], (runtime,), (threads,))
    if failures := [failure for variant in found for failure in variant.failures]:
        raise ModelError("; ".join(failures))
    watch = Watch()
    prepared = latency.Prepared([variant.load for variant in found], latency.fitted(Effort(), runs, seconds))
    samples = prepared.measure(seed)
    conditions = watch.finish(threads, prepared.pace)
    style = "github" if markdown else "simple"
    click.echo(tabulate(rows(found, samples, len(made), seed), headers="keys", tablefmt=style, disable_numparse=True))
    names = dict.fromkeys(variant.row().runtime for variant in found)
    click.echo(f"\n{conditions.processor}, {conditions.processors} processors; {', '.join(names)}; threads: {threads}")
    for problem in conditions.problems:
        warn(f"not valid: {problem}")


if __name__ == "__main__":
    main()
