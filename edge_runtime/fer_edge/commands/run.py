"""`fer-edge run`: the loop from a source to the outputs.

What takes long to import is imported where it is needed: the cascade is read and the model loaded meanwhile, each in a
thread of its own, so that the first answer comes sooner.
"""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, get_args

import click
import cv2

from fer_edge.command import Command, FiniteRange, give_up_stdout, warn, writing_stdout
from fer_edge.commands import options
from fer_edge.detectors import open_detector
from fer_edge.errors import FerError, UsageError
from fer_edge.meanwhile import Meanwhile
from fer_edge.quiet import silence_opencv
from fer_edge.settings import ModelSettings, Settings
from fer_edge.settings.outputs import Name as OutputName

if TYPE_CHECKING:
    from fer_edge.classifier import Classifier
    from fer_edge.detectors import Detector
    from fer_edge.sinks import Outputs
    from fer_edge.summary import Summary

_DEFAULTS = Settings()


@click.command(cls=Command)
@click.option(
    "--source",
    metavar="SOURCE",
    help="demo, auto, picamera2, a camera's number, an address (rtsp, http), or the path of an image, a folder or "
    f"pattern of images, or a video.  [default: {_DEFAULTS.source.uri}]",
)
@click.option(
    "--model", type=click.Path(path_type=Path), help="A .tflite that fer-convert wrote.  [default: the shipped one]"
)
@click.option(
    "--output",
    multiple=True,
    type=click.Choice(get_args(OutputName)),
    help=f"Where results go, several times for several.  [default: {', '.join(_DEFAULTS.output.to)}]",
)
@click.option("--frames", type=click.IntRange(1), help="Stop after so many frames.")
@click.option(
    "--detector",
    metavar="DETECTOR",
    help=f"haar; yunet:FILE.onnx; none, where each frame is a face.  [default: {_DEFAULTS.detector.name}]",
)
@click.option(
    "--smoothing",
    type=FiniteRange(0, 60),
    metavar="SECONDS",
    help="Time constant of the average of a face's probabilities; 0 for none.  "
    f"[default: {_DEFAULTS.loop.smoothing_s}]",
)
@click.option(
    "--min-confidence",
    type=FiniteRange(0, 1),
    help=f"Below this probability an expression is called uncertain.  [default: {_DEFAULTS.loop.min_confidence}]",
)
@click.option("--raw", is_flag=True, help="Give the probabilities of each frame alone as well (jsonl).")
@options.threads
@options.runtime
@click.option(
    "--portable",
    is_flag=True,
    help="Give the same numbers with every interpreter (on x86-64 bit for bit), several times slower.",
)
@options.config
@options.assignments
def run(config_file: Path | None, assignments: tuple[str, ...], frames: int | None, **given: Any) -> None:
    """Name the expressions of all faces in each frame.

    Results go to stdout, messages and the closing summary to stderr. Ctrl-C and SIGTERM end the run cleanly. Settings
    come from --config, then from variables such as FER_EDGE_LOOP_SMOOTHING_S, then from the command line.
    """
    # What OpenCV cannot open or decode is told by our own errors, in one line.
    silence_opencv()
    if sys.stdout is None:  # as with `>&-`
        raise UsageError("stdout is closed: results have nowhere to go")
    settings = options.effective(config_file, assignments, _flags(**given)).settings
    with Meanwhile(lambda: open_detector(settings.detector.name, settings.detector)) as detector:
        _run(settings, detector, frames)


def _flags(**given: Any) -> dict[str, Any]:
    """Turn options into keys of the settings; what was not given is None."""
    detector, _, place = (given["detector"] or "").partition(":")
    return {
        "source.uri": given["source"],
        "model.file": given["model"] and str(given["model"]),
        "model.threads": given["threads"],
        "model.runtime": given["runtime"],
        "model.portable": given["portable"] or None,
        "detector.name": detector or None,
        **({f"detector.{detector}.{_PLACES[detector]}": place} if place and detector in _PLACES else {}),
        "loop.smoothing_s": given["smoothing"],
        "loop.min_confidence": given["min_confidence"],
        "loop.raw": given["raw"] or None,
        "output.to": list(given["output"]) or None,
    }


# What follows a detector's name.
_PLACES = {"haar": "cascade", "yunet": "file"}


def _load(settings: ModelSettings) -> Classifier:
    from fer_edge.classifier import Classifier
    from fer_edge.models import shipped_model

    return Classifier.load(
        Path(settings.file) if settings.file else shipped_model(),
        threads=settings.threads or None,
        runtime=None if settings.runtime == "auto" else settings.runtime,
        portable=settings.portable,
    )


def _run(settings: Settings, detector: Meanwhile[Detector], limit: int | None) -> None:
    from fer_edge import sinks
    from fer_edge.loop import Loop
    from fer_edge.loop import run as run_loop
    from fer_edge.searching import beside
    from fer_edge.sources import open_source
    from fer_edge.summary import Summary

    stop = _stop_on_signals()
    opened = open_source(settings.source.uri, stop, settings.source)
    if opened.live or settings.model.threads:
        from fer_edge.interpreter import default_threads

        # OpenCV would take the core that is left for the camera.
        cv2.setNumThreads(settings.model.threads or default_threads())
    summary = Summary()
    written: sinks.Outputs | None = None
    try:
        with (
            # Not before: Python's lock, which it wants too, is better left to what leads to the first search.
            Meanwhile(lambda: _load(settings.model)) as model,
            opened,
            beside(opened, settings.detector) as background,
            _until_reader_leaves(),
            sinks.open_sinks(
                settings.output.to,
                settings.output,
                live=opened.live,
                source=opened.name,
                labels=lambda: model.result().metadata.labels,
            ) as outputs,
        ):
            written = outputs
            loop = Loop(detector.result(), lambda: _ready(model), settings.loop, background)
            run_loop(opened, loop, [outputs], summary, limit=limit, stop=stop)
    except FerError:
        if summary.frames:
            _close(summary, opened.skipped, written)
        else:
            _warn_of(opened.skipped)
        raise
    _close(summary, opened.skipped, written)


def _ready(model: Meanwhile[Classifier]) -> Classifier:
    """Wait for the model; end what `fer_edge.__main__` began: garbage is collected, but not among what is there now."""
    found = model.result()
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return found


def _close(summary: Summary, skipped: list[str], outputs: Outputs | None) -> None:
    """Tell on stderr what the run came to."""
    _warn_of(skipped)
    click.echo(summary, err=True)
    for name, count in (outputs.lost if outputs is not None else {}).items():
        if count:
            click.echo(f"lost {count} by the output {name}", err=True)
    if skipped:
        click.echo(f"skipped {len(skipped)}", err=True)


def _warn_of(skipped: list[str]) -> None:
    for reason in skipped:
        warn(f"skipped: {reason}")


def _stop_on_signals() -> threading.Event:
    """Let the first Ctrl-C or SIGTERM end the loop after its frame, the second end the program."""
    stop = threading.Event()

    def ask(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, ask)
    return stop


@contextlib.contextmanager
def _until_reader_leaves() -> Iterator[None]:
    """End quietly where stdout is a pipe whose reader has gone, as with `| head`."""
    try:
        with writing_stdout():
            yield
    except BrokenPipeError:
        give_up_stdout()
