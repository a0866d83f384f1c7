"""Bring a model file into a store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from fer_edge.errors import FerError, ModelError
from fer_edge.files import check_writable
from fer_edge.store import durable, session
from fer_edge.store.listing import LISTING_NAME, STARTS_NAME, Entry, file_name, is_file_name
from fer_edge.store.store import damage
from fer_edge.store.structure import LARGEST_FILE
from fer_edge.store.trying import Report, try_model

_CHUNK = 1 << 20
_PART = ".model.part"


@dataclass(frozen=True)
class Installation:
    """What an installation came to.

    Attributes:
        entry: The model in the store.
        report: How it did on this device.
        changed: False where it was the current model already.
    """

    entry: Entry
    report: Report
    changed: bool


def install(
    file: Path,
    folder: Path,
    *,
    budget_ms: float | None = None,
    threads: int | None = None,
    runtime: str | None = None,
) -> Installation:
    """Try a model on this device, copy it into a store and make it the current one.

    However this process ends, and when the power goes, the current model is the old one or the new one, and whole.

    Args:
        file: A `.tflite` that fer-convert wrote.
        folder: The store; it is made where it is not there.
        budget_ms: Time that the median face may take to be classified, milliseconds; None for any.
        threads: See `Interpreter`.
        runtime: See `Interpreter`.

    Raises:
        ModelError: The model cannot be used here, fails its self-test or is too slow.
        FerError: The file cannot be read or the store cannot be written.
    """
    check_writable(folder / LISTING_NAME)
    report = try_model(file, threads=threads, runtime=runtime, timed=True)
    _judge(file, report, budget_ms)
    try:
        durable.make_folder(folder)
    except OSError as error:
        raise FerError(f"cannot make the model store {folder}: {error.strerror or error}") from error
    with session.held(folder) as held:
        now = held.listing.now
        if now is not None and now.sha256 == report.sha256 and not damage(folder, now):
            _tidy(held)
            return Installation(now, report, changed=False)
    with _copied(file, folder, report) as part, session.held(folder) as held:
        entry = Entry(
            key=os.urandom(8).hex(),
            file=file_name(report.metadata.name, report.sha256),
            sha256=report.sha256,
            bytes=report.bytes,
            name=report.metadata.name,
            installed=datetime.now(UTC).isoformat(timespec="seconds"),
            proved=_proof(held, report.sha256),
        )
        part.replace(folder / entry.file)
        durable.sync_folder(folder)
        held.save(held.listing.installed(entry))
        _tidy(held)
    return Installation(entry, report, changed=True)


def _judge(file: Path, report: Report, budget_ms: float | None) -> None:
    if report.verdict.failures:
        raise ModelError(f"{file} fails its self-test on this device: {'; '.join(report.verdict.failures)}")
    if budget_ms is not None and (report.median_ms is None or report.median_ms > budget_ms):
        raise ModelError(
            f"{file} is too slow: a face takes {report.median_ms:.2f} ms (median, p90 {report.p90_ms:.2f} ms) by "
            f"{report.verdict.runtime}, threads {report.verdict.threads}; the budget is {budget_ms:g} ms"
        )


def _proof(held: session.Session, sha256: str) -> int | None:
    """Give when the same file has proved itself, if it has and was not rolled back from since."""
    same = [one for one in held.listing.models if one.sha256 == sha256 and one.bad is None]
    return max((one.proved or 0 for one in same), default=0) or None


@contextlib.contextmanager
def _copied(file: Path, folder: Path, report: Report) -> Iterator[Path]:
    """Copy the file that was tried into the store, under a name of nothing; what is left of it at the end goes."""
    part = folder / f".{os.urandom(8).hex()}{_PART}"
    try:
        with session.held(folder) as held:
            # What a full disk or a kill has left would take the room. Without a list nobody knows what that is.
            if not held.notices:
                _tidy(held)
            # Others do that too, and remove what nobody has locked.
            target = durable.create(part)
            durable.lock(target.fileno())
        with target:
            _copy(file, target)
            durable.sync(target)
            if durable.digest(part, LARGEST_FILE) != report.sha256:
                raise FerError(f"{file} has changed while it was tried: install it again")
            yield part
    except OSError as error:
        raise FerError(f"cannot copy {file} to the model store {folder}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):  # the error that led here is the one to tell
            part.unlink(missing_ok=True)


def _copy(file: Path, target: BinaryIO) -> None:
    with durable.open_file(file, LARGEST_FILE, follow=True) as source:
        while chunk := source.read(_CHUNK):
            target.write(chunk)


def _tidy(held: session.Session) -> None:
    """Remove the models that are in no list, and what was left by copies and lists that were killed."""
    known = {one.file for one in held.listing.models}
    lists = {durable.part(held.folder / name) for name in (LISTING_NAME, STARTS_NAME)}
    with contextlib.suppress(OSError):  # what stays costs room and nothing else; the next installation tries again
        for path in held.folder.iterdir():
            if (is_file_name(path.name) and path.name not in known) or path in lists or _is_abandoned(path):
                path.unlink()


def _is_abandoned(path: Path) -> bool:
    if not path.name.endswith(_PART):
        return False
    with durable.open_file(path, LARGEST_FILE) as file:
        return durable.lock(file.fileno())
