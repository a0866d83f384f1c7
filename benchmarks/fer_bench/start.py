"""What a fresh process pays: imports, load, first face, memory. Each in a process of its own, which this module is.

`python -m fer_bench.start` reads a `Task` as JSON from its standard input and writes a `Process`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from fer_bench.results import Start
from fer_bench.scene import FACE, frame
from fer_edge import runtimes
from fer_edge.classifier import Classifier
from fer_edge.errors import FerError

_TIMEOUT_S = 300
_SETTLING_RUNS = 3
_STATUS = Path("/proc/self/status")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What the process is to do.

    Attributes:
        model: File; None to import only what loading would.
        threads: Of the interpreter.
        runtime: Name of the interpreter; None for the first that is installed.
    """

    model: str | None
    threads: int
    runtime: str | None


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """What the process saw of itself.

    Attributes:
        load_ms: See `results.Start`; 0 without a model.
        first_ms: See there.
        peak_bytes: See there.
    """

    load_ms: float
    first_ms: float
    peak_bytes: int


def measure(
    tasks: Sequence[tuple[Path, str | None, int]], processes: int, step: Callable[[int], object] = lambda _: None
) -> list[Start | FerError]:
    """Start fresh processes for some models, in turn.

    Args:
        tasks: File, name of the interpreter or None, and threads of each.
        processes: Of each, at least 1.
        step: Called with 1 after each process.

    Returns:
        For each task what was found, or why it failed.
    """
    empty: dict[str | None, list[int]] = {runtime: [] for _, runtime, _ in tasks}
    runs: list[list[Process]] = [[] for _ in tasks]
    failed: dict[int, FerError] = {}
    for _ in range(processes):
        for runtime, peaks in empty.items():
            try:
                peaks.append(_run(Task(model=None, threads=1, runtime=runtime)).peak_bytes)
            except FerError:
                # The models of this interpreter fail for the same reason, and say it.
                continue
        for number, (path, runtime, threads) in enumerate(tasks):
            step(1)
            if number in failed:
                continue
            try:
                runs[number].append(_run(Task(model=str(path), threads=threads, runtime=runtime)))
            except FerError as error:
                failed[number] = error
    return [
        failed.get(number)
        or Start(
            load_ms=tuple(one.load_ms for one in runs[number]),
            first_ms=tuple(one.first_ms for one in runs[number]),
            peak_bytes=tuple(one.peak_bytes for one in runs[number]),
            empty_bytes=tuple(empty[runtime]),
        )
        for number, (_, runtime, _) in enumerate(tasks)
    ]


def _run(task: Task) -> Process:
    # -P keeps the folder it is called from out of the way of the packages that are meant; PYTHONPATH still counts.
    command = [sys.executable, "-P", "-m", "fer_bench.start"]
    try:
        done = subprocess.run(
            command, input=msgspec.json.encode(task), capture_output=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise FerError(f"a fresh process with {task.model} took longer than {_TIMEOUT_S} s") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise FerError(f"a fresh process failed: {lines[-1]}")
    return msgspec.json.decode(done.stdout, type=Process)


def peak_bytes() -> int:
    """Give the largest resident memory of this process so far (VmHWM).

    `getrusage` would not do: its figure is inherited from the process that started this one.
    """
    for line in _STATUS.read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise FerError(f"{_STATUS} tells no VmHWM: memory cannot be measured on this system")


def _main() -> None:
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    runtimes.find_runtime(task.runtime)
    load_ms = first_ms = 0.0
    if task.model is not None:
        gray = frame()
        began = time.perf_counter_ns()
        classifier = Classifier.load(Path(task.model), threads=task.threads, runtime=task.runtime)
        loaded = time.perf_counter_ns()
        classifier.classify(gray, FACE)
        load_ms, first_ms = (loaded - began) / 1e6, (time.perf_counter_ns() - loaded) / 1e6
        for _ in range(_SETTLING_RUNS):
            classifier.classify(gray, FACE)
    found = Process(load_ms=load_ms, first_ms=first_ms, peak_bytes=peak_bytes())
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    try:
        _main()
    except FerError as error:
        sys.exit(str(error))
