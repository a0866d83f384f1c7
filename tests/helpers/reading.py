"""The readers under test, each run in a process of its own within limits, which tells how it ended.

`python reading.py` imports the readers once and then forks for each case: importing OpenCV and an interpreter anew for
each would take most of the time. Requests come as JSON lines on stdin, `{"reader": NAME, "path": FILE}`; what became of
each goes to stdout.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

# Bytes of address space beyond what the process has: far more than may be used, so that the machine survives a failure.
ADDRESSES = 3 << 30
# Wall clock, for what sleeps; processor time is judged apart, as machines are paused.
PATIENCE_S = 60
LONGEST_LINE = 8_000


def model(path: Path) -> None:
    """Load as `fer-edge run` does, classify a face, and read the graph as `fer-edge doctor` does."""
    from fer_edge.classifier import Classifier
    from fer_edge.interpreter import read_graph
    from fer_edge.self_test import face

    loaded = Classifier.load(path, threads=1)
    spec = loaded.metadata.input
    loaded.probabilities(face(1, spec.height, spec.width))
    graph = read_graph(path.read_bytes())
    _ = graph.arena_bytes, [graph.multiply_accumulates(node) for node in graph.nodes]


def description(path: Path) -> None:
    from fer_edge.metadata import read_model

    read_model(path)


def configuration(path: Path) -> None:
    """Read settings and write them as `fer-edge config show` does, then look for what they name."""
    import msgspec

    from fer_edge import configuration

    settings = configuration.effective(configuration.from_file(path)).settings
    msgspec.json.encode(settings)
    configuration.missing_files(settings)


def source(path: Path) -> None:
    """Open what a user may write as a source; the file holds the text."""
    import threading

    from fer_edge.sources import open_source

    stop = threading.Event()
    stop.set()
    open_source(path.read_bytes().decode(errors="surrogateescape"), stop)


def assignments(path: Path) -> None:
    """Set keys by environment and `--set`; the file holds lines KEY=VALUE."""
    from fer_edge import configuration
    from fer_edge.commands.options import effective
    from fer_edge.settings import Settings
    from fer_edge.settings.keys import keys

    lines = path.read_bytes().replace(b"\0", b"").decode(errors="surrogateescape").splitlines()
    os.environ.update(
        {key.variable: line for key, line in zip(keys(Settings), lines, strict=False) if len(line) < 100_000}
    )
    try:
        effective(None, (), {})
    except configuration.ConfigurationError as error:
        _one_line(str(error))
    for key in keys(Settings):
        os.environ.pop(key.variable, None)
    effective(None, tuple(lines), {})


def picture(path: Path) -> None:
    from fer_edge.images import read_color, read_gray

    read_gray(path)
    read_color(path)


def folder(path: Path) -> None:
    """Run the whole loop over the pictures beside a file, the file among them."""
    _run(str(path.parent))


def video(path: Path) -> None:
    """Run the whole loop over a video's first frames."""
    _run(f"video:{path}")


def fer2013(path: Path) -> None:
    from fer_train.datasets import load

    load(path)


def ferplus(path: Path) -> None:
    """Read votes beside a whole `fer2013.csv`."""
    from fer_train.datasets import load

    load(path.with_name("fer2013.csv"), ferplus="soft")


def expw(path: Path) -> None:
    from fer_train.datasets import load

    load(path, memory=1 << 20)


def recipe(path: Path) -> None:
    """Read how a model is made, as `fer-train recipe` does."""
    from fer_train import recipes

    recipes.load(str(path))


def haar(path: Path) -> None:
    _detector(f"haar:{path}")


def yunet(path: Path) -> None:
    _detector(f"yunet:{path}")


READERS: dict[str, Callable[[Path], None]] = {
    one.__name__: one
    for one in (
        model,
        description,
        configuration,
        source,
        assignments,
        picture,
        folder,
        video,
        fer2013,
        ferplus,
        expw,
        recipe,
        haar,
        yunet,
    )
}


def _run(uri: str) -> None:
    from fer_edge.classifier import Classifier
    from fer_edge.detectors import open_detector
    from fer_edge.loop import Loop
    from fer_edge.models import shipped_model
    from fer_edge.sources import open_source

    loop = Loop(open_detector("haar"), Classifier.load(shipped_model(), threads=1))
    with open_source(uri) as frames:
        for number, frame in enumerate(frames):
            loop.process(frame)
            if number == 30:
                break
    for reason in frames.skipped:
        _one_line(reason)


def _detector(spec: str) -> None:
    from fer_edge.detectors import open_detector
    from fer_edge.self_test import face

    open_detector(spec).detect(face(2, 90, 120))


def _one_line(message: str) -> None:
    # As `fer_edge.command` prints it.
    if not 0 < len(" ".join(message.split())) <= LONGEST_LINE:
        raise AssertionError(f"a message of {len(message)} characters")


def _case(reader: str, path: Path, answer: int) -> None:
    """Run one case in the child, and write how it ended: "ok", "told: MESSAGE", or a traceback."""
    from fer_edge.errors import FerError

    own = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (own + ADDRESSES,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What native libraries print is not judged.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        READERS[reader](path)
        told = "ok"
    except FerError as error:
        _one_line(str(error))
        told = f"told: {error}"
    except BaseException:
        told = traceback.format_exc()
    os.write(answer, told[:60_000].encode(errors="backslashreplace"))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _judge(reader: str, path: Path) -> dict[str, object]:
    heard, answer = os.pipe()
    before = _resident()
    child = os.fork()
    if not child:
        status = 1
        try:
            _case(reader, path, answer)
            status = 0
        finally:
            os._exit(status)
    os.close(answer)
    until = time.monotonic() + PATIENCE_S
    ended = 0
    while not ended and time.monotonic() < until:
        ended, status, used = os.wait4(child, os.WNOHANG)
        time.sleep(0 if ended else 0.001)
    hung = not ended
    if hung:
        os.kill(child, signal.SIGKILL)
        _, status, used = os.wait4(child, 0)
    with os.fdopen(heard, "rb") as said:
        told = said.read().decode()
    if os.WIFSIGNALED(status):
        told = "hung" if hung else f"killed by signal {os.WTERMSIG(status)}"
    # Children of its own count too: a detector's file is tried by one.
    return {
        "told": told,
        "cpu_s": used.ru_utime + used.ru_stime,
        "bytes": max(0, used.ru_maxrss * 1024 - before),
    }


def main() -> None:
    """Answer requests until stdin ends."""
    # What is imported here need not be imported by each child.
    import fer_edge.classifier
    import fer_edge.detectors.haar
    import fer_edge.detectors.yunet
    import fer_edge.loop
    import fer_edge.sources.image
    import fer_edge.sources.video  # noqa: F401
    from fer_edge import runtimes
    from fer_edge.quiet import silence_opencv

    runtimes.find_runtime()
    silence_opencv()
    with __import__("contextlib").suppress(ImportError):
        import fer_train.datasets  # noqa: F401
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_judge(request["reader"], Path(request["path"]))), flush=True)


if __name__ == "__main__":
    main()
