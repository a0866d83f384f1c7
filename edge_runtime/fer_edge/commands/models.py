"""`fer-edge models`: which models there are, whether they work on this device, which of them it uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
from tabulate import tabulate

from fer_edge import runtimes
from fer_edge.command import FiniteRange, Group, unwinding_on_sigterm, warn, writing_stdout
from fer_edge.commands import options
from fer_edge.errors import FerError, UsageError
from fer_edge.metadata import ModelMetadata
from fer_edge.models import shipped_models
from fer_edge.store import DEFAULT_STORE, Store
from fer_edge.store.listing import Entry, Listing
from fer_edge.store.session import Session
from fer_edge.store.store import damage
from fer_edge.store.trying import try_model
from fer_edge.verifying import Verdict

_store = click.option(
    "--store",
    metavar="DIR",
    type=click.Path(path_type=Path),
    envvar="FER_EDGE_MODEL_STORE",  # of the setting model.store
    help=f"Where models are installed.  [default: {DEFAULT_STORE}]",
)


@click.group(cls=Group)
def models() -> None:
    """Tell of model files, try them on this device, install them."""


@models.command("list")
@_store
@click.option("--json", "as_json", is_flag=True, help="Print all that the files say of themselves, as JSON.")
def list_models(store: Path | None, as_json: bool) -> None:
    """List the models that ship with fer-edge, and those that are installed on this device."""
    shipped = [(path, ModelMetadata.of(path)) for path in shipped_models()]
    folder, listing = _installed(store)
    if as_json:
        content = [_told(path, metadata, None, listing) for path, metadata in shipped]
        content += [_told(folder / one.file, _described(folder, one), one, listing) for one in listing.models]
        _say(_json(content))
        return
    _say(tabulate([_row(path, metadata) for path, metadata in shipped], headers="keys", intfmt=","))
    if listing.models:
        rows = [
            {
                "name": one.name,
                "state": _state(one, listing, _described(folder, one)),
                "installed": one.installed,
                "bytes": one.bytes,
                "sha256": one.sha256[:16],
            }
            for one in listing.models
        ]
        _say(f"\ninstalled in {folder}{'' if listing.now else '; none of them is in use, but the shipped one'}:")
        _say(tabulate(rows, headers="keys", intfmt=",", disable_numparse=[4]))


@models.command()
@click.argument("model", nargs=-1, metavar="[FILE|NAME]...", type=options.Model())
@_store
@options.threads
@options.runtime
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a line a model.")
def verify(
    model: tuple[Path, ...], store: Path | None, threads: int | None, runtime: str | None, as_json: bool
) -> None:
    """Try models on this device: is the file whole, the interpreter new enough, and does it give what it should?

    Without a file, the models that ship with fer-edge and those that are installed. Exit code 1 where one fails.
    """
    runtimes.find_runtime(runtime)  # without any there is nothing to tell of each model
    folder, listing = (None, Listing()) if model else _installed(store)
    verdicts = []
    wrong = {folder / one.file: damage(folder, one) for one in listing.models} if folder else {}
    for path in (*(model or shipped_models()), *wrong):
        verdict = Verdict(failures=(told,)) if (told := wrong.get(path)) else _verify(path, threads, runtime)
        verdicts.append({"file": str(path), "ok": verdict.ok, **msgspec.structs.asdict(verdict)})
        if not as_json:
            _say(_line(path, verdict))
    if as_json:
        _say(_json(verdicts))
    if failed := sum(not one["ok"] for one in verdicts):
        raise FerError(f"{failed} of {len(verdicts)} models failed: copy or convert them again, or use another runtime")


@models.command()
@click.argument("file", metavar="FILE|NAME", type=options.Model())
@_store
@click.option("--budget", type=FiniteRange(0, min_open=True), metavar="MS", help="Time that a face may take, median.")
@options.threads
@options.runtime
def install(file: Path, store: Path | None, budget: float | None, threads: int | None, runtime: str | None) -> None:
    """Try a model on this device and make it the one that the service uses.

    The last good one is kept: see 'fer-edge models rollback'. Takes effect when the service starts or reloads.
    """
    from fer_edge.store.installing import install as install_model

    with unwinding_on_sigterm():
        done = install_model(file, store or DEFAULT_STORE, budget_ms=budget, threads=threads, runtime=runtime)
    report, place = done.report, (store or DEFAULT_STORE) / done.entry.file
    if not report.verdict.tested:
        warn(f"{file} has no self-test: it was loaded and run, and that is all; convert it again")
    _say(
        f"{'installed' if done.changed else 'no change, installed already'}: {done.entry.name} as {place}; "
        f"a face takes {report.median_ms:.2f} ms (median, p90 {report.p90_ms:.2f} ms) by {report.verdict.runtime}, "
        f"threads {report.verdict.threads}"
    )


@models.command()
@_store
def rollback(store: Path | None) -> None:
    """Go back to the last good model; without one, to the model that ships with fer-edge.

    The model in use until now is marked as bad, and is used again only when it is installed again.
    """
    _say(Store(store or DEFAULT_STORE).rollback())


def _installed(store: Path | None) -> tuple[Path, Listing]:
    """Give what is installed; a store that was named has to be there."""
    folder = store or DEFAULT_STORE
    if store is not None and not folder.is_dir():
        raise UsageError(f"there is no model store {folder}")
    # Files are replaced as a whole, so reading needs no lock.
    session = Session(folder, writable=False)
    for notice in session.notices:
        warn(notice)
    return folder, session.listing


def _row(path: Path, metadata: ModelMetadata) -> dict[str, Any]:
    test = metadata.self_test
    return {
        "name": metadata.name,
        "recipe": metadata.recipe,
        "bytes": path.stat().st_size,
        "self-test": "no" if test is None else f"{len(test.cases)} faces",
        "accuracy": metadata.accuracy or "not measured",
        "labels": ", ".join(metadata.labels),
    }


def _told(path: Path, metadata: ModelMetadata | None, entry: Entry | None, listing: Listing) -> dict[str, Any]:
    """Tell all of a file; `installed` is None of one that ships."""
    installed = None
    if entry is not None:
        installed = {
            "state": _state(entry, listing, metadata),
            "at": entry.installed,
            "sha256": entry.sha256,
            "proved": entry.proved is not None,
            "bad": entry.bad,
        }
    size = path.stat().st_size if entry is None else entry.bytes
    return {"file": str(path), "bytes": size, "metadata": metadata, "installed": installed}


def _described(folder: Path, entry: Entry) -> ModelMetadata | None:
    """Give the description of an installed model; None where the file is not the one that was installed."""
    return None if damage(folder, entry) else ModelMetadata.of(folder / entry.file)


def _state(entry: Entry, listing: Listing, metadata: ModelMetadata | None) -> str:
    told = []
    if entry == listing.now:
        told.append("current, has proved itself" if entry.proved else "current, has not proved itself yet")
    elif entry == listing.last_good:
        told.append("last good")
    elif entry.bad is None:
        told.append("earlier")
    told += [f"bad: {entry.bad}"] if entry.bad else []
    return ", ".join(told if metadata else [*told, "file damaged"])


def _verify(path: Path, threads: int | None, runtime: str | None) -> Verdict:
    try:
        return try_model(path, threads=threads, runtime=runtime).verdict
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


def _say(text: str) -> None:
    with writing_stdout():
        click.echo(text)
