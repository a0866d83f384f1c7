"""Does the label of a face in a video follow the face, and does it flicker?

    python benchmarks/video_labels.py single_face.mp4 --expect neutral=0-16 --expect happy=20-69

Runs the loop with its default settings, smoothing among them. For each face: what was said in each second, how often
that changed, most of all within any one second, and for what share of given frames it was what can be seen there.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import click
from tabulate import tabulate

from fer_edge import shipped_model
from fer_edge.classifier import Classifier
from fer_edge.command import Command
from fer_edge.detectors import open_detector
from fer_edge.errors import UsageError
from fer_edge.loop import Loop
from fer_edge.sources import open_source

# A face and what was said of it: number of the frame, its time in seconds, label.
Said = list[tuple[int, float, str]]


class Span(click.ParamType):
    """A label and the frames that show it: happy=20-69."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, range]:
        """Turn the text into a label and numbers of frames."""
        label, _, frames = str(value).partition("=")
        first, _, last = frames.partition("-")
        if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
            self.fail(f"{value!r} is no label with frames such as happy=20-69", param, ctx)
        return label, range(int(first), int(last) + 1)


def watch(video: str, model: Path, threads: int) -> tuple[dict[int, Said], int]:
    """Run the loop.

    Returns:
        What was said by track, and the number of frames.
    """
    loop = Loop(open_detector("haar"), Classifier.load(model, threads=threads))
    tracks: dict[int, Said] = {}
    count = 0
    with open_source(video) as frames:
        for frame in frames:
            if frame.at_s is None:
                raise UsageError(f"{video} is no video: its pictures have no time")
            count += 1
            for face in loop.process(frame).faces:
                tracks.setdefault(face.track, []).append((frame.index, frame.at_s, face.label))
    return tracks, count


def changes(said: Said) -> list[float]:
    """Give the times at which the label changed, seconds."""
    return [now for (_, _, before), (_, now, label) in pairwise(said) if label != before]


def most_within(times: list[float], seconds: float) -> int:
    """Give the most of some sorted times that lie within any span of so many seconds."""
    return max((sum(1 for other in times if 0 <= other - one < seconds) for one in times), default=0)


def by_second(said: Said) -> list[dict[str, object]]:
    """Give a row a second: the labels with their frames, in the order in which they first came, and the changes."""
    times = changes(said)
    rows: list[dict[str, object]] = []
    for second in sorted({int(at_s) for _, at_s, _ in said}):
        counts = Counter(label for _, at_s, label in said if int(at_s) == second)
        told = ", ".join(f"{label} {number}" for label, number in counts.items())
        rows.append({"second": second, "frames": told, "changes": sum(int(time) == second for time in times)})
    return rows


@click.command(cls=Command)
@click.argument("video")
@click.option("--model", type=click.Path(path_type=Path), help="A .tflite.  [default: the shipped one]")
@click.option("--expect", multiple=True, type=Span(), metavar="LABEL=FIRST-LAST", help="What frames show, from 0.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1, 64), help="Of the interpreter.")
def main(video: str, model: Path | None, expect: tuple[tuple[str, range], ...], threads: int) -> None:
    """Tell what the loop says of the faces in VIDEO."""
    path = model or shipped_model()
    tracks, count = watch(video, path, threads)
    click.echo(f"{path.stem} on {Path(video).name}: {count} frames, {len(tracks)} faces")
    for number, said in sorted(tracks.items()):
        times, seconds = changes(said), max(1.0, said[-1][1] - said[0][1])
        click.echo(f"\nface {number}, {len(said)} frames\n{tabulate(by_second(said), headers='keys')}")
        told = ", ".join(f"{time:.2f}" for time in times)
        click.echo(f"changes: {len(times)}{f' (at {told} s)' if times else ''}, {len(times) / seconds:.2f} a second")
        click.echo(f"most within a second: {most_within(times, 1.0)}")
        labels = {frame: label for frame, _, label in said}
        for label, frames in expect:
            seen = [frame for frame in frames if frame in labels]
            right = sum(labels[frame] == label for frame in seen)
            share = f"{100 * right / len(seen):.0f} %" if seen else "-"
            click.echo(f"{label} in frames {frames[0]} to {frames[-1]}: {right} of {len(seen)}, {share}")


if __name__ == "__main__":
    main()
