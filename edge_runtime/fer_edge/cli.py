"""The command `fer-edge`."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TypeVar

import click
import cv2

from fer_edge import sinks
from fer_edge.classifier import Classifier
from fer_edge.command import FiniteRange, Group, warn
from fer_edge.commands import options
from fer_edge.detectors import open_detector
from fer_edge.errors import FerError, UsageError
from fer_edge.loop import Loop, LoopSettings
from fer_edge.loop import run as run_loop
from fer_edge.models import shipped_model
from fer_edge.quiet import silence_opencv
from fer_edge.searching import beside
from fer_edge.sources import open_source
from fer_edge.summary import Summary

_Found = TypeVar("_Found")


@click.group(
    cls=Group,
    lazy={"models": "fer_edge.commands.models:models"},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="fer-edge")
def main() -> None:
    """Recognise facial expressions on the device."""


@main.command()
@click.option(
    "--source",
    required=True,
    metavar="SOURCE",
    help="demo, auto, picamera2, a camera's number, an address (rtsp, http), or the path of an image, a folder or "
    "pattern of images, or a video.",
)
@click.option(
    "--model", type=click.Path(path_type=Path), help="A .tflite that fer-convert wrote.  [default: the shipped one]"
)
@click.option(
    "--output",
    default="console",
    show_default=True,
    type=click.Choice(sinks.REGISTRY.names()),
    help="console: a readable line a frame; jsonl: one JSON object a line.",
)
@click.option("--frames", type=click.IntRange(1), help="Stop after so many frames.")
@click.option(
    "--detector",
    default="haar",
    show_default=True,
    metavar="DETECTOR",
    help="haar; yunet:FILE.onnx; none, where each frame is a face.",
)
@click.option(
    "--smoothing",
    default=LoopSettings().smoothing_s,
    show_default=True,
    type=FiniteRange(0, 60),
    metavar="SECONDS",
    help="Time constant of the average of a face's probabilities; 0 for none.",
)
@click.option(
    "--min-confidence",
    default=LoopSettings().min_confidence,
    show_default=True,
    type=FiniteRange(0, 1),
    help="Below this probability an expression is called uncertain.",
)
@click.option("--raw", is_flag=True, help="Give the probabilities of each frame alone as well (jsonl).")
@options.threads
@options.runtime
@click.option(
    "--portable",
    is_flag=True,
    help="Give the same numbers with every interpreter (on x86-64 bit for bit), several times slower.",
)
def run(
    source: str,
    model: Path | None,
    output: str,
    frames: int | None,
    detector: str,
    smoothing: float,
    min_confidence: float,
    raw: bool,
    threads: int | None,
    runtime: str | None,
    portable: bool,
) -> None:
    """Name the expressions of all faces in each frame.

    Results go to stdout, messages and the closing summary to stderr. Ctrl-C and SIGTERM end the run cleanly.
    """
    # What OpenCV cannot open or decode is told by our own errors, in one line.
    silence_opencv()
    if sys.stdout is None:  # as with `>&-`
        raise UsageError("stdout is closed: results have nowhere to go")
    stop = _stop_on_signals()
    opened = open_source(source, stop)
    with _meanwhile(lambda: open_detector(detector)) as opened_detector:
        classifier = Classifier.load(model or shipped_model(), threads=threads, runtime=runtime, portable=portable)
        finder = opened_detector()
    if opened.live or threads is not None:
        # OpenCV would take the core that is left for the camera.
        cv2.setNumThreads(classifier.interpreter.threads)
    settings = LoopSettings(smoothing_s=smoothing, min_confidence=min_confidence, raw=raw)
    summary = Summary()
    try:
        with opened, beside(opened, detector) as background, _until_reader_leaves():
            loop = Loop(finder, classifier, settings, background)
            _collect_garbage_from_now_on()
            run_loop(opened, loop, [sinks.open_sink(output)], summary, limit=frames, stop=stop)
    except FerError:
        if summary.frames:
            _close(summary, opened.skipped)
        else:
            _warn_of(opened.skipped)
        raise
    _close(summary, opened.skipped)


@contextlib.contextmanager
def _meanwhile(work: Callable[[], _Found]) -> Iterator[Callable[[], _Found]]:
    """Work in a thread of its own: reading a cascade takes as long as loading a model.

    Yields:
        A function that waits for the work, and gives what it gave or raises what it raised.
    """
    found: list[_Found] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:  # handed over
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> _Found:
        thread.join()
        if errors:
            raise errors[0]
        return found[0]

    try:
        yield result
    finally:
        # OpenCV aborts a process that ends while it reads.
        thread.join()


def _collect_garbage_from_now_on() -> None:
    """End what `fer_edge.__main__` began; what is there by now is never looked at again."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _close(summary: Summary, skipped: list[str]) -> None:
    """Tell on stderr what the run came to."""
    _warn_of(skipped)
    click.echo(summary, err=True)
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
        yield
    except BrokenPipeError:
        _give_up_stdout()
    except OSError as error:
        _give_up_stdout()
        raise FerError(f"cannot write the output: {error.strerror or error}") from error


def _give_up_stdout() -> None:
    """Give stdout, which Python flushes once more at exit, somewhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
