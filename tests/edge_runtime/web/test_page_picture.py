"""The README's picture of the page, made from portraits in the public domain.

FER_UPDATE_PICTURES: 1 to write `docs/images/page.png` anew, from a minute of watching.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from math import cos, pi, sin
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from browsing import Serving, complaints, open_page, wait_in
from films import Picture
from network_camera import NetworkCamera

pytest.importorskip("aiohttp", reason="needs the extra web")

_HEIGHT, _WIDTH = 450, 400
_FRAMES, _RATE = 150, 15
_LARGEST = 300_000


def filmed(astronaut: Picture, admiral: Picture) -> list[Picture]:
    """Film two portraits side by side, of which the second comes and goes."""
    left = cv2.resize(astronaut[0:300, 91:358], (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC)
    right = cv2.resize(admiral[0:576, 0:512], (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA)
    frames = []
    for number in range(_FRAMES):
        angle = 2 * pi * number / _FRAMES
        light = np.clip((number - 35) / 10, 0, 1)
        both = np.hstack([left, np.asarray(right * light, np.uint8)])
        shift = np.array([[1, 0, 6 * sin(angle)], [0, 1, 4 * cos(2 * angle)]])
        frames.append(np.asarray(cv2.warpAffine(both, shift, (2 * _WIDTH, _HEIGHT), borderMode=cv2.BORDER_REPLICATE)))
    return frames


def save(path: Path, content: bytes) -> None:
    """Write a PNG with six bits a colour, which nobody sees and which is a third smaller."""
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    rounded = np.minimum(255, (picture.astype(np.int16) + 2) // 4 * 4).astype(np.uint8)
    cv2.imwrite(str(path), rounded, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def test_the_readmes_picture_is_made_of_public_portraits(
    chromium: Any, shared_data: Callable[[str], Path], shipped_model_path: Path, repository: Path, tmp_path: Path
) -> None:
    # NASA's of Eileen Collins, the US Navy's of Grace Hopper.
    portraits = (
        cv2.imread(str(shared_data(f"photos/{name}"))) for name in ("skimage_astronaut.png", "coral_grace_hopper.bmp")
    )
    update = os.environ.get("FER_UPDATE_PICTURES") == "1"
    path = (repository / "docs" / "images" if update else tmp_path) / "page.png"
    path.parent.mkdir(exist_ok=True)
    with (
        NetworkCamera(*filmed(*portraits), rate=_RATE) as camera,
        Serving("run", "--source", camera.address, "--output", "csv", "--preview", "127.0.0.1:0") as served,
    ):
        tab = open_page(chromium, served.url, width=1180, height=760)
        tab.select_option("#window", "1")
        shown = tab.locator(".face .expression")
        wait_in(tab, lambda: shown.all_inner_texts() == ["happy", "neutral"], "both faces")
        if update:
            tab.wait_for_timeout(58_000)
            wait_in(tab, lambda: shown.all_inner_texts() == ["happy", "neutral"], "both faces")
        save(path, tab.screenshot())
        assert complaints(tab) == []
        tab.context.close()
    assert path.stat().st_size < _LARGEST
    picture = cv2.imread(str(path))
    assert picture.shape[:2] == (760, 1180)


def test_the_readme_opens_with_it(repository: Path) -> None:
    opening = (repository / "README.md").read_text()[:1000]
    assert "](docs/images/page.png)" in opening
    picture = repository / "docs" / "images" / "page.png"
    assert 20_000 < picture.stat().st_size < _LARGEST
    assert cv2.imread(str(picture)) is not None
