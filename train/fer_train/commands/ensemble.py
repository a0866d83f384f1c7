"""`fer-train ensemble`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from tabulate import tabulate

from fer_edge import evaluation
from fer_edge.command import Command
from fer_edge.errors import UsageError
from fer_train.commands import options
from fer_train.commands.evaluate import answers, load, size

_HEADER = ("member", "accuracy", "size")


@click.command(cls=Command)
@click.argument("models", metavar="RUN|MODEL.tflite...", nargs=-1, type=click.Path(path_type=Path))
@options.judging
def ensemble(models: tuple[Path, ...], out: Path | None, split: str | None, **given: Any) -> None:
    """Judge two or more models together: the mean of their probabilities.

    Runs and model files may be mixed; all must know the same expressions, in any order.
    """
    from fer_train.judging import predicting, report, summary
    from fer_train.judging.page import Section, Table
    from fer_train.judging.task import task

    if len(models) < 2:
        raise UsageError(f"an ensemble needs two or more models, not {len(models)}; 'fer-train evaluate' judges one")
    members = [predicting.open_model(path) for path in models]
    first = members[0]
    for other in members[1:]:
        if set(other.labels) != set(first.labels):
            raise UsageError(
                f"{first.path} knows {', '.join(first.labels)}, but {other.path} knows {', '.join(other.labels)}: "
                "an ensemble needs models of the same expressions"
            )
    if out is not None:
        report.check(out)
    chosen = task(load(given, members), first.labels, split)
    each = [answers(member, chosen) for member in members]
    accuracies = [evaluation.accuracy(chosen.name, given.argmax(axis=1), chosen.split.labels) for given in each]
    together = predicting.average(each)
    judgement = chosen.judge(together)
    rows = [(member.name, str(accuracy), size(member)) for member, accuracy in zip(members, accuracies, strict=True)]
    click.echo(f"{tabulate(rows, headers=_HEADER, disable_numparse=True)}\n\n{summary.as_text(judgement)}")
    if out is not None:
        name = f"ensemble of {' and '.join(member.name for member in members)}"
        described = [
            {"name": member.name, "model": str(member.path), "kind": member.kind, "accuracy": accuracy}
            for member, accuracy in zip(members, accuracies, strict=True)
        ]
        report.write(
            out,
            name,
            judgement,
            chosen.split,
            together,
            chosen.labels,
            extra_sections=(Section("Members", table=Table(_HEADER, rows)),),
            extra_fields={"data": chosen.data, "members": described},
        )
        click.echo(f"\nwrote {out / report.PAGE}")
