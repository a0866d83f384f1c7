"""What surrounds the stages of the loop: how much of a frame is neither search nor classification.

    python benchmarks/loop_overhead.py pan-640.avi
    python benchmarks/loop_overhead.py demo --live

The stages are timed from within: searching and following of the detector, seeking a face's picture, grey, and the
classifier. All else from taking a frame to its line of JSON is overhead: tracking, smoothing, the values in between,
and the line itself. With `--live` the frames come by the capture thread and slot of a camera, at 30 frames a second,
and handing one over counts as well; the line is handed to the output's own thread, as in `fer-edge run`.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import cycle, islice
from typing import Any

import click
import cv2
import numpy as np
from tabulate import tabulate

from fer_edge import preprocessing, shipped_model
from fer_edge.classifier import Classifier
from fer_edge.detectors import open_detector
from fer_edge.loop import Loop
from fer_edge.sinks._lines import Stream
from fer_edge.sinks._losses import Losses
from fer_edge.sinks._outputs import Direct, Outputs, Queued
from fer_edge.sinks.jsonl import JsonlSink
from fer_edge.sources import open_source
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.template import Template
from fer_edge.types import Frame

_FRAME_S = 1 / 30


class Stages:
    """Sums up the time spent in functions."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self, owner: Any, name: str) -> None:
        """Replace a function of an object by one that is timed."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **extra: Any) -> Any:
            began = time.perf_counter()
            try:
                return function(*args, **extra)
            finally:
                self.seconds += time.perf_counter() - began

        setattr(owner, name, timed)


def by_camera(frames: list[Frame]) -> Generator[Frame, None, None]:
    """Give frames as a camera's capture thread does, one every thirtieth of a second."""
    left = cycle(frames)

    def shoot() -> Shot:
        time.sleep(_FRAME_S)
        return Shot(next(left).image, time.monotonic_ns(), 0.0)

    yield from newest_frames("camera", shoot, threading.Event(), 10.0)


@click.command()
@click.argument("source")
@click.option("--frames", default=300, show_default=True, type=click.IntRange(20))
@click.option("--live", is_flag=True, help="Hand the frames over as a camera does.")
def main(source: str, frames: int, live: bool) -> None:
    """Measure the overhead of the loop on SOURCE, one thread."""
    cv2.setNumThreads(1)
    stages, detector, classifier = Stages(), open_detector("haar"), Classifier.load(shipped_model(), threads=1)
    for owner, name in (
        (detector, "detect"),
        (detector, "follow"),
        (Template, "find"),
        (Template, "__init__"),
        (classifier, "classify"),
        (preprocessing, "to_gray"),
    ):
        stages.time(owner, name)
    loop, outputs, losses = Loop(detector, classifier), Outputs(), Losses("jsonl", click.echo)
    sink = JsonlSink(Stream(io.BytesIO()))
    output = Queued(sink, losses, frames) if live else Direct(sink, losses)
    outputs.add(output)
    with open_source(source) as opened:
        given = list(islice(opened, frames))
    rows = []
    with output, closing(by_camera(given) if live else (frame for frame in given)) as frames_given:
        for frame in islice(frames_given, len(given)):
            stages.seconds, began = 0.0, time.perf_counter()
            waited = (time.monotonic_ns() - frame.captured_ns) / 1e9 if live else 0.0
            outputs.write(loop.process(frame), frame)
            rows.append((waited + time.perf_counter() - began, stages.seconds, waited))
    whole, inner, waited = np.array(rows).T * 1e3
    table = {
        "a frame, ms": np.median(whole),
        "of it stages": np.median(inner),
        "around them": np.median(whole - inner),
        "of it handing over": np.median(waited),
        "share around, %": 100 * np.median((whole - inner) / whole),
    }
    click.echo(tabulate(table.items(), headers=["median", ""], floatfmt=".3f"))


if __name__ == "__main__":
    main()
