"""`fer-edge models`: which models there are, and whether they work on this device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
from tabulate import tabulate

from fer_edge import interpreter
from fer_edge.command import Group
from fer_edge.commands import options
from fer_edge.errors import FerError
from fer_edge.metadata import ModelMetadata, read_model
from fer_edge.models import shipped_models
from fer_edge.verifying import Verdict
from fer_edge.verifying import verify as verify_model


@click.group(cls=Group)
def models() -> None:
    """Tell of model files, and try them on this device."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print all that the files say of themselves, as JSON.")
def list_models(as_json: bool) -> None:
    """List the models that ship with fer-edge."""
    found = {path: ModelMetadata.of(path) for path in shipped_models()}
    if as_json:
        content = [{"file": str(path), "bytes": path.stat().st_size, "metadata": told} for path, told in found.items()]
        click.echo(_json(content))
        return
    rows = [
        {
            "name": told.name,
            "recipe": told.recipe,
            "bytes": path.stat().st_size,
            "self-test": "no" if told.self_test is None else f"{len(told.self_test.cases)} faces",
            "accuracy": told.accuracy or "not measured",
            "labels": ", ".join(told.labels),
        }
        for path, told in found.items()
    ]
    click.echo(tabulate(rows, headers="keys", intfmt=","))


@models.command()
@click.argument("model", nargs=-1, metavar="[MODEL.tflite]...", type=click.Path(path_type=Path))
@options.threads
@options.runtime
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a line a model.")
def verify(model: tuple[Path, ...], threads: int | None, runtime: str | None, as_json: bool) -> None:
    """Try models on this device: is the file whole, the interpreter new enough, and does it give what it should?

    Without a file, the models that ship with fer-edge. Exit code 1 where one fails.
    """
    interpreter.find_runtime(runtime)  # without any there is nothing to tell of each model
    verdicts = []
    for path in model or shipped_models():
        verdict = _verify(path, threads, runtime)
        verdicts.append({"file": str(path), "ok": verdict.ok, **msgspec.structs.asdict(verdict)})
        if not as_json:
            click.echo(_line(path, verdict))
    if as_json:
        click.echo(_json(verdicts))
    if failed := sum(not one["ok"] for one in verdicts):
        raise FerError(f"{failed} of {len(verdicts)} models failed: copy or convert them again, or use another runtime")


def _verify(path: Path, threads: int | None, runtime: str | None) -> Verdict:
    try:
        return verify_model(*read_model(path), threads=threads, runtime=runtime)
    except FerError as error:
        return Verdict(failures=(str(error),))


def _line(path: Path, verdict: Verdict) -> str:
    """Tell of a file in one line, the failure last."""
    told = []
    if verdict.runtime is not None:
        told.append(f"{verdict.runtime}, threads {verdict.threads}")
        told.append(
            f"largest difference {verdict.portable:.4f} by portable, {verdict.default:.4f} by default kernels"
            if verdict.tested
            else "loaded and run, but it has no self-test"
        )
    told += verdict.failures
    return f"{'ok' if verdict.ok else 'failed'}  {path}: {' '.join('; '.join(told).split())}"


def _json(content: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()
