"""The command `fer-bench`."""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

import click

from fer_bench import latency, report
from fer_edge import evaluation, files, interpreter
from fer_edge.classifier import Classifier
from fer_edge.command import Command, warn
from fer_edge.errors import DataError, UsageError
from fer_edge.metadata import Accuracy
from fer_edge.models import shipped_models
from fer_train import datasets
from fer_train.datasets import Split

Judged = tuple[Accuracy | None, dict[str, float | None], tuple[tuple[int, ...], ...]]
NOT_JUDGED: Judged = (None, {}, ())


def _threads(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    try:
        threads = tuple(dict.fromkeys(int(word) for word in value.split(",")))
    except ValueError:
        threads = (0,)
    if any(not 1 <= number <= 64 for number in threads):
        raise click.BadParameter(f"{value!r} is no list of thread counts such as 1,2")
    return threads


@click.command(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("models", nargs=-1, type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), help="fer2013.csv or image folders, to measure accuracy on.")
@click.option("--split", help="Split of the data.  [default: public, else test]")
@click.option(
    "--threads",
    default="1",
    show_default=True,
    callback=_threads,
    metavar="N,N",
    help="Threads of the interpreter, each measured.",
)
@click.option(
    "--runtime",
    type=click.Choice([runtime.name for runtime in interpreter.RUNTIMES]),
    help="The only interpreter to use.  [default: the first that is installed]",
)
@click.option(
    "--runs", default=1024, show_default=True, type=click.IntRange(1), help="Timed runs of each model and thread count."
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write everything here, each sample included.",
)
@click.version_option(package_name="fer-edge")
def main(
    models: tuple[Path, ...],
    data: Path | None,
    split: str | None,
    threads: tuple[int, ...],
    runtime: str | None,
    runs: int,
    json_file: Path | None,
) -> None:
    """Measure size, latency and accuracy of model files.

    MODELS are .tflite files; without any, the shipped ones. Latency is that of the device's own code for one face: cut,
    resize, quantise, infer. The models take turns in short rounds; nothing is left out of the samples.
    """
    if split is not None and data is None:
        raise UsageError("--split needs --data")
    paths = models or shipped_models()
    if not paths:
        raise UsageError("no model to measure: this installation ships none, name one")
    variants = [(path, Classifier.load(path, threads=count, runtime=runtime)) for path in paths for count in threads]
    labelled = None if data is None else _labelled(data, split, [classifier for _, classifier in variants])
    with click.progressbar(length=runs * len(variants), label="latency ", file=sys.stderr) as bar:
        latencies = latency.measure([classifier for _, classifier in variants], runs, bar.update)
    judged: dict[Path, Judged] = {}
    if labelled is not None:
        for path, classifier in variants:
            if path not in judged:
                judged[path] = _judge(classifier, *labelled)
    rows = tuple(
        _row(path, classifier, measured, judged.get(path, NOT_JUDGED))
        for (path, classifier), measured in zip(variants, latencies, strict=True)
    )
    made = report.make(rows)
    if json_file is not None:
        files.write_bytes(json_file, report.as_json(made))
    click.echo(report.as_table(made))
    click.echo(
        f"{made.conditions['processor']}, {rows[0].runtime}, {runs} runs each after {latency.WARM_UP_RUNS} to warm up"
    )


def _labelled(data: Path, split: str | None, classifiers: list[Classifier]) -> tuple[str, Split]:
    first = classifiers[0].metadata
    for classifier in classifiers[1:]:
        if classifier.metadata.labels != first.labels:
            raise DataError(
                f"{first.name} knows {', '.join(first.labels)}; {classifier.metadata.name} knows "
                f"{', '.join(classifier.metadata.labels)}: their accuracies are no comparison"
            )
    found = datasets.load(data, labels=first.labels)
    for reason in found.skipped:
        warn(f"skipped: {reason}")
    name = split or found.selection_split()
    return name, found.split(name)


def _judge(classifier: Classifier, name: str, split: Split) -> Judged:
    with click.progressbar(length=len(split), label="accuracy", file=sys.stderr) as bar:
        predicted = evaluation.predict(classifier, split.faces, lambda: bar.update(1)).argmax(axis=1)
    return (
        evaluation.accuracy(name, predicted, split.labels),
        evaluation.recalls(predicted, split.labels, classifier.metadata.labels),
        evaluation.confusion(predicted, split.labels, len(classifier.metadata.labels)),
    )


def _row(path: Path, classifier: Classifier, measured: latency.Latency, judged: Judged) -> report.Row:
    content, runtime = files.read_bytes(path, "model"), classifier.interpreter.runtime
    return report.Row(
        model=classifier.metadata.name,
        file=str(path),
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        gzip_bytes=len(gzip.compress(content, mtime=0)),
        parameters=classifier.metadata.parameters,
        runtime=f"{runtime.name} {runtime.version}",
        threads=classifier.interpreter.threads,
        latency=measured,
        accuracy=judged[0],
        recalls=judged[1],
        confusion=judged[2],
    )
