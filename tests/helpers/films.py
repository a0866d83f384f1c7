"""Films for tests: their frames, and files that Chromium's fake camera plays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]


def read_film(path: Path) -> list[Picture]:
    """Give all frames of a video, [H, W, 3] BGR."""
    film, frames = cv2.VideoCapture(str(path)), []
    while (read := film.read())[0]:
        frames.append(np.asarray(read[1], np.uint8))
    film.release()
    assert frames, path
    return frames


def write_y4m(path: Path, frames: Sequence[Picture], rate: int = 30) -> None:
    """Write uncompressed YUV4MPEG2, 4:2:0; height and width have to be even."""
    rows, columns = frames[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{columns} H{rows} F{rate}:1 Ip A1:1 C420\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420).tobytes())


def fake_camera(path: Path, frames: Sequence[Picture], rate: int) -> tuple[str, ...]:
    """Write a film, and give the flags by which Chromium's camera films it and asks nobody."""
    write_y4m(path, frames, rate)
    return (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={path}",
    )


def nearest(picture: Picture, frames: Sequence[Picture]) -> tuple[int, float]:
    """Give the number of the frame that a picture resembles most, and the mean difference of their values."""
    shrunk = cv2.resize(picture, (160, 90), interpolation=cv2.INTER_AREA).astype(np.int16)
    differences = [
        float(np.abs(cv2.resize(one, (160, 90), interpolation=cv2.INTER_AREA).astype(np.int16) - shrunk).mean())
        for one in frames
    ]
    best = int(np.argmin(differences))
    return best, differences[best]
