"""Does the input pipeline keep up with training? Images a second with it, and of `model.fit` on arrays in memory.

    python benchmarks/training_throughput.py --data fer2013.csv

Both train the same network on the same faces, taking turns in one process, so that whatever else the machine does
hits both. The pipeline augments; the arrays are the finished input. Round by round the ratio of the two is taken.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from tabulate import tabulate

from fer_edge import files, preprocessing
from fer_edge.command import Command
from fer_edge.metadata import InputSpec
from fer_train import architectures, datasets, pipeline, precision
from fer_train.keras_setup import keras
from fer_train.settings import AUGMENTATIONS, FitSettings


def images_a_second(run: Callable[[], Any], images: int) -> float:
    """Time one pass."""
    began = time.perf_counter()
    run()
    return images / (time.perf_counter() - began)


@click.command(cls=Command)
@click.option("--data", required=True, type=click.Path(path_type=Path), help="What fer-train fit takes.")
@click.option("--arch", default="complex-cnn-1", show_default=True, help="Architecture.")
@click.option("--input-size", default=48, show_default=True, type=click.IntRange(8, 1024), help="Pixels.")
@click.option("--augment", default="standard", show_default=True, type=click.Choice(AUGMENTATIONS), help="Level.")
@click.option("--batch-size", default=64, show_default=True, type=click.IntRange(1), help="Images a step.")
@click.option("--images", default=6400, show_default=True, type=click.IntRange(1), help="Images a pass.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Passes of each, taking turns.")
@click.option("--mixed-precision", is_flag=True, help="Multiply in bfloat16.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write every pass here.")
def main(
    data: Path,
    arch: str,
    input_size: int,
    augment: str,
    batch_size: int,
    images: int,
    rounds: int,
    mixed_precision: bool,
    json_file: Path | None,
) -> None:
    """Compare the throughput of training through the pipeline with that on arrays in memory."""
    module = architectures.REGISTRY.load(arch)
    channels = module.CHANNELS[0]
    train = datasets.load(data).split("train")
    train = train.take(np.arange(min(images, len(train))))
    classes = int(train.labels.max()) + 1
    spec = InputSpec(
        height=input_size,
        width=input_size,
        channels=channels,
        color="gray" if channels == 1 else "rgb",
        scale=module.INPUT_SCALE,
        offset=module.INPUT_OFFSET,
    )
    settings = FitSettings(data=str(data), arch=arch, augment=augment, batch_size=batch_size)
    with precision.policy(mixed=mixed_precision):
        model = architectures.build(arch, architectures.Plan(input_size, channels, classes))
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="categorical_crossentropy", metrics=["accuracy"])
    inputs = preprocessing.to_input(pipeline.fitted(train, spec), spec)
    targets, steps = pipeline.targets(train, classes), pipeline.steps(train, settings)

    def by_arrays() -> None:
        model.fit(inputs, targets, batch_size=batch_size, verbose=0)

    def by_pipeline(epoch: int) -> None:
        batches = pipeline.training(train, spec, settings, classes, epochs=range(epoch, epoch + 1))
        model.fit(batches, steps_per_epoch=steps, verbose=0)

    by_arrays()  # traces the training step
    by_pipeline(0)
    rows = []
    for number in range(1, rounds + 1):
        arrays = images_a_second(by_arrays, len(train))
        augmented = images_a_second(lambda epoch=number: by_pipeline(epoch), len(train))  # type: ignore[misc]
        rows.append({"round": number, "arrays": arrays, "pipeline": augmented, "ratio": augmented / arrays})
        click.echo(f"round {number}: arrays {arrays:.0f}, pipeline {augmented:.0f} images/s", err=True)
    middle = {name: statistics.median(row[name] for row in rows) for name in ("arrays", "pipeline", "ratio")}
    click.echo(tabulate([*rows, {"round": "median", **middle}], headers="keys", floatfmt=(None, ".0f", ".0f", ".3f")))
    if json_file is not None:
        files.write_bytes(json_file, json.dumps({"rounds": rows, "median": middle}, indent=2).encode() + b"\n")


if __name__ == "__main__":
    main()
