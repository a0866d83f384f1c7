"""`fer-train evaluate`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import numpy.typing as npt

from fer_edge.command import Command
from fer_edge.errors import UsageError
from fer_train.commands import options

if TYPE_CHECKING:
    from fer_train.datasets import Dataset
    from fer_train.judging.predicting import OpenModel
    from fer_train.judging.task import Task


@click.command(cls=Command)
@click.argument("model", metavar="RUN|MODEL.tflite", type=click.Path(path_type=Path))
@options.judging
def evaluate(model: Path, out: Path | None, split: str | None, **given: Any) -> None:
    """Judge a run's float model, or a model file as the device runs it.

    A model that knows some expressions alone is judged on the images of those.
    """
    from fer_train.judging import predicting, report, summary
    from fer_train.judging.task import task

    opened = predicting.open_model(model)
    if out is not None:
        report.check(out)
    chosen = task(load(given, [opened]), opened.labels, split)
    probabilities = answers(opened, chosen)
    judgement = chosen.judge(probabilities)
    click.echo(f"{opened.name}: {size(opened)}\n\n{summary.as_text(judgement)}")
    if out is not None:
        facts = {
            "model": str(model),
            "kind": opened.kind,
            "parameters": opened.parameters,
            "bytes": opened.bytes,
            "data": chosen.data,
        }
        report.write(
            out,
            opened.name,
            judgement,
            chosen.split,
            probabilities,
            chosen.labels,
            epochs=opened.epochs,
            extra_fields=facts,
        )
        click.echo(f"\nwrote {out / report.PAGE}")


def load(given: dict[str, Any], models: Sequence[OpenModel]) -> Dataset:
    """Read the data that models are judged on, divided as it was for their training.

    Raises:
        UsageError: The models come from runs that divided their data by different seeds.
    """
    seeds = {model.split_seed for model in models if model.split_seed is not None}
    if given["split_seed"] is None and len(seeds) > 1:
        raise UsageError(f"the runs were trained on different splits (--split-seed {', '.join(map(str, seeds))})")
    seed = given["split_seed"] if given["split_seed"] is not None else next(iter(seeds), 1)
    return options.load(given["data"], models[0].labels, ferplus=given["ferplus"], seed=seed, memory=given["memory"])


def answers(model: OpenModel, chosen: Task) -> npt.NDArray[np.float32]:
    """Let a model classify, with a progress bar: [N, C] float32, columns in the order of the task's labels."""
    from fer_train.judging import predicting

    with click.progressbar(length=len(chosen.split), label=f"accuracy of {model.name}", file=sys.stderr) as bar:
        return predicting.probabilities(model.path, chosen.split, chosen.labels, bar.update)


def size(model: OpenModel) -> str:
    """Say how large a model is."""
    parameters = f"{model.parameters:,} parameters"
    return parameters if model.bytes is None else f"{parameters}, {model.bytes:,} bytes"
