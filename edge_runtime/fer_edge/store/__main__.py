"""The process in which `fer_edge.store.trying` tries a model: PATH TASK; an `Answer` on stdout.

It has a limit of time and of memory, is the first to go where memory is short, and gives up what rights it has.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import signal
import sys
import time
from pathlib import Path

import msgspec

from fer_edge import interpreter, runtimes
from fer_edge.box import Box
from fer_edge.classifier import Classifier
from fer_edge.errors import FerError, ModelError
from fer_edge.metadata import ModelMetadata, read_model
from fer_edge.self_test import face
from fer_edge.store import durable, structure
from fer_edge.store.trying import Answer, Report, Task
from fer_edge.timing import Durations
from fer_edge.verifying import verify

# An interpreter holds weights several times: the file, packed for XNNPACK, as float32 where the file has float16.
_MEMORY = 384 << 20
_MEMORY_A_BYTE = 8
# The stack of a thread, and what glibc reserves for its memory.
_MEMORY_A_THREAD = 80 << 20
_PICTURE = 480, 640
_FACE = Box(200, 120, 240, 240)
_WARM_UP = 5
_RUNS = 20, 200
_TIMED_S = 2.0
_NOBODY = 65534


def main() -> None:
    """Try one model."""
    path, task = Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Task)
    # Native libraries write to file descriptor 1 as they like; the answer has one of its own.
    answer = os.dup(1)
    os.dup2(2, 1)
    # If nobody is there any more to end it.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(int(task.patience_s) + 5)
    try:
        told = Answer(report=_report(path, task))
    except FerError as error:
        told = Answer(error=str(error).encode(errors="replace").decode())
    except MemoryError:
        told = Answer(error=f"{path}: trying it took too much memory; convert it again by another recipe")
    except Exception as error:  # a bad model may lead the interpreter's own Python astray
        text = f"{path}: trying it failed with {type(error).__name__}: {' '.join(str(error).split())[:400]}"
        told = Answer(error=text.encode(errors="replace").decode())
    with os.fdopen(answer, "wb") as out:
        out.write(msgspec.json.encode(told))


def _report(path: Path, task: Task) -> Report:
    runtimes.find_runtime(task.runtime)
    _limit_memory(_size(path), task.threads or interpreter.default_threads())
    model, metadata = read_model(path)
    try:
        structure.check(model)
    except ModelError as error:
        raise ModelError(f"{path}: {error}; copy the file again, or convert the run again") from error
    _give_up_rights()
    verdict = verify(model, metadata, threads=task.threads, runtime=task.runtime)
    median, p90 = _speed(model, metadata, task) if task.timed and verdict.ok else (None, None)
    return Report(
        sha256=hashlib.sha256(model).hexdigest(),
        bytes=len(model),
        metadata=metadata,
        verdict=verdict,
        median_ms=median,
        p90_ms=p90,
    )


def _size(path: Path) -> int:
    """Give the bytes of a file that is one and is none too large."""
    try:
        with durable.open_file(path, structure.LARGEST_FILE, follow=True) as file:
            return os.fstat(file.fileno()).st_size
    except OSError as error:
        raise FerError(f"cannot read model {path}: {error.strerror or error}") from error


def _limit_memory(size: int, threads: int) -> None:
    """Bound the memory that is reserved from now on, by the size of the file, bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + _MEMORY + _MEMORY_A_BYTE * size + _MEMORY_A_THREAD * threads
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with contextlib.suppress(OSError):  # where /proc may not be written, the limits stand nevertheless
        Path("/proc/self/oom_score_adj").write_text("1000")


def _give_up_rights() -> None:
    """Be nobody, where root wants to know about a model: a bad one may take the interpreter over."""
    # Modules that are imported when they are first needed must still be found, as below /opt and not below /root.
    modules = [Path(place).resolve() for place in sys.path]
    folders = {folder for place in modules if place.exists() for folder in (place, *place.parents)}
    if os.geteuid() or not all(folder.stat().st_mode & 0o005 == 0o005 for folder in folders):
        return
    with contextlib.suppress(OSError):  # a container may have no nobody
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _speed(model: bytes, metadata: ModelMetadata, task: Task) -> tuple[float, float]:
    """Time the classification of a face in a picture: median and 90th percentile, milliseconds."""
    classifier = Classifier(model, metadata, threads=task.threads, runtime=task.runtime)
    picture = face(1, *_PICTURE)
    durations = Durations()
    least, most = _RUNS
    for _ in range(_WARM_UP):
        classifier.classify(picture, _FACE)
    began = time.perf_counter()
    while durations.count < most and (durations.count < least or time.perf_counter() - began < _TIMED_S):
        before = time.perf_counter_ns()
        classifier.classify(picture, _FACE)
        durations.add((time.perf_counter_ns() - before) / 1e6)
    return durations.percentile(50), durations.percentile(90)


if __name__ == "__main__":
    main()
