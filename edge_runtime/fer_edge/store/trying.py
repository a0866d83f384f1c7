"""Try a model on this device in a process of its own: what a bad one does to an interpreter happens there."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from fer_edge import processes
from fer_edge.errors import FerError, ModelError
from fer_edge.metadata import ModelMetadata
from fer_edge.verifying import Verdict

# A Raspberry Pi Zero 2 W needs some seconds, an emulated one some tens.
_PATIENCE_S = 120.0


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with a model.

    Attributes:
        threads: See `Interpreter`.
        runtime: See `Interpreter`.
        timed: Whether its speed is wanted.
        patience_s: Seconds after which nobody waits any more.
    """

    threads: int | None
    runtime: str | None
    timed: bool
    patience_s: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is and did.

    Attributes:
        sha256: Of the file that was tried, 64 hexadecimal digits.
        bytes: Size of that file.
        metadata: The model's description.
        verdict: Of its self-test.
        median_ms: To classify a face of a picture, milliseconds: half the faces take less. None where nobody asked.
        p90_ms: The same, nine tenths of the faces.
    """

    sha256: str
    bytes: int
    metadata: ModelMetadata
    verdict: Verdict
    median_ms: float | None = None
    p90_ms: float | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the process tells: an error or a report."""

    error: str | None = None
    report: Report | None = None


def try_model(
    path: Path,
    *,
    threads: int | None = None,
    runtime: str | None = None,
    timed: bool = False,
    patience_s: float = _PATIENCE_S,
) -> Report:
    """Check a model file's structure and run its self-test by an interpreter of this device.

    Args:
        path: The file, which need not be trusted.
        threads: See `Interpreter`.
        runtime: See `Interpreter`.
        timed: Whether to measure its speed as well.
        patience_s: Seconds that all of it may take.

    Raises:
        ModelError: It is no model of ours, the interpreter does not take it, or it crashed, hung or took too much
            memory.
        FerError: The file cannot be read, or no interpreter can be imported.
    """
    task = Task(threads=threads, runtime=runtime, timed=timed, patience_s=patience_s)
    # -P: nothing in the current folder stands in for a module.
    command = [sys.executable, "-P", "-m", "fer_edge.store", str(path.absolute()), msgspec.json.encode(task).decode()]
    try:
        done = processes.run(command, patience_s)
    except subprocess.TimeoutExpired:
        raise ModelError(f"{path}: it was tried for {patience_s:g} s without an answer; convert it again") from None
    except OSError as error:
        raise FerError(f"cannot run {sys.executable}: {error.strerror or error}") from error
    try:
        answer = msgspec.json.decode(done.stdout, type=Answer)
    except msgspec.DecodeError:
        raise ModelError(f"{path}: {_crash(done)}") from None
    if answer.report is None:
        raise ModelError((answer.error or "no answer").replace(str(path.absolute()), str(path)))
    return answer.report


def _crash(done: subprocess.CompletedProcess[bytes]) -> str:
    """Tell how the process ended that should have answered."""
    if done.returncode < 0:
        try:
            name = signal.Signals(-done.returncode).name
        except ValueError:
            name = f"signal {-done.returncode}"
        return f"the interpreter crashed with {name} when it was tried; convert it again or use another --runtime"
    last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:400]
    return f"trying it ended with {done.returncode}: {last or 'it says nothing'}"
