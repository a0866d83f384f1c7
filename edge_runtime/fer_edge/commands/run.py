"""`fer-edge run`: the loop from a source to the outputs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import click

from fer_edge import running
from fer_edge.command import Command
from fer_edge.commands import options
from fer_edge.detectors import open_detector
from fer_edge.errors import UsageError
from fer_edge.meanwhile import Meanwhile
from fer_edge.quiet import silence_opencv
from fer_edge.settings import Settings
from fer_edge.settings.outputs import Name as OutputName
from fer_edge.settings.preview import DEFAULT_ADDRESS

_DEFAULTS = Settings()


@click.command(cls=Command)
@click.option(
    "--source",
    metavar="SOURCE",
    help="demo, auto, picamera2, a camera's number, an address (rtsp, http), or the path of an image, a folder or "
    f"pattern of images, or a video.  [default: {_DEFAULTS.source.uri}]",
)
@options.model
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
@options.smoothing
@options.min_confidence
@click.option("--raw", is_flag=True, help="Give the probabilities of each frame alone as well (jsonl).")
@click.option(
    "--preview",
    is_flag=False,
    flag_value=DEFAULT_ADDRESS,
    metavar="[HOST:PORT]",
    help=f"Show the picture and what is seen on a page, at {DEFAULT_ADDRESS} unless told otherwise (extra web).",
)
@options.page
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

    def read() -> Settings:
        return options.effective(config_file, assignments, _flags(**given)).settings

    settings = read()
    with Meanwhile(lambda: open_detector(settings.detector.name, settings.detector)) as detector:
        running.run(settings, detector, read, frames)


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
        "preview.address": given["preview"],
        **options.of_page(given),
    }


# What follows a detector's name.
_PLACES = {"haar": "cascade", "yunet": "file"}
