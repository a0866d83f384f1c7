"""Make the video that the loop is measured on: a photograph under a slow pan, with mild noise.

    python benchmarks/panning_video.py portrait.png pan-640.avi --size 640x480
    fer-bench --loop pan-640.avi

The video is stored without loss (FFV1), so that the noise of each frame is its own.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np

_FRAMES_PER_SECOND = 30
# The photograph is this much larger than the frame, so that there is something to pan over.
_COVER = 1.15


def _size(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, int]:
    width, _, height = value.partition("x")
    try:
        return int(width), int(height)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no size such as 640x480") from None


@click.command()
@click.argument("photo", type=click.Path(exists=True, dir_okay=False))
@click.argument("video", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--size", default="640x480", show_default=True, callback=_size, help="Width and height, pixels.")
@click.option("--seconds", default=20.0, show_default=True, type=click.FloatRange(min=0.1), help="At 30 frames/s.")
@click.option("--noise", default=4.0, show_default=True, type=click.FloatRange(min=0), help="Sigma, grey levels.")
@click.option("--seed", default=1, show_default=True, help="Of the noise.")
def main(photo: str, video: Path, size: tuple[int, int], seconds: float, noise: float, seed: int) -> None:
    """Write VIDEO from PHOTO."""
    picture = cv2.imread(photo, cv2.IMREAD_COLOR)
    if picture is None:
        raise click.ClickException(f"{photo} is no picture that OpenCV reads")
    width, height = size
    scale = _COVER * max(width / picture.shape[1], height / picture.shape[0])
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"FFV1"), _FRAMES_PER_SECOND, size)
    if not writer.isOpened():
        raise click.ClickException(f"{video} cannot be written")
    room = np.array([scale * picture.shape[1] - width, scale * picture.shape[0] - height])
    draws = np.random.default_rng(seed)
    for number in range(round(seconds * _FRAMES_PER_SECOND)):
        # An ellipse in ten seconds; portraits have the face in the upper half.
        turn = 2 * np.pi * number / (10 * _FRAMES_PER_SECOND)
        left, top = room * (0.5 + 0.45 * np.cos(turn), 0.1 + 0.1 * np.sin(turn))
        view = np.array([[scale, 0, -left], [0, scale, -top]])
        frame = cv2.warpAffine(picture, view, size).astype(np.float32)
        frame += noise * draws.standard_normal(frame.shape, np.float32)
        writer.write(np.clip(np.rint(frame), 0, 255).astype(np.uint8))
    writer.release()


if __name__ == "__main__":
    main()
