"""The example with Streamlit and WebRTC, in a real browser whose camera films a man who smiles.

FER_TEST_STREAMLIT_PYTHON: a Python with the extra streamlit (0.6 GB, so in an environment of its own):
`make test-streamlit`.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from browsing import complaints, open_page, wait_in
from filmed import Film
from films import fake_camera, nearest
from waiting import LONG_S, wait_until

_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
# Nothing is told to its makers.
_SETTINGS = (
    "--server.headless=true",
    "--server.port=0",
    "--server.address=127.0.0.1",
    "--browser.gatherUsageStats=false",
)


@pytest.fixture(scope="module")
def app(repository: Path) -> Iterator[str]:
    python = os.environ.get("FER_TEST_STREAMLIT_PYTHON")
    if not python:
        pytest.skip("FER_TEST_STREAMLIT_PYTHON names no Python with the extra streamlit: make test-streamlit")
    command = [python, "-m", "streamlit", "run", str(repository / "examples" / "streamlit_app.py"), *_SETTINGS]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    told: list[str] = []
    reading = threading.Thread(target=lambda: told.extend(running.stdout or ()), daemon=True)
    reading.start()
    wait_until(lambda: _ADDRESS.search("".join(told)) or running.poll() is not None, "Streamlit")
    address = _ADDRESS.search("".join(told))
    assert address, "".join(told)
    yield address[0]
    running.send_signal(signal.SIGINT)
    running.wait(LONG_S)
    reading.join(LONG_S)
    running.stdout.close()  # type: ignore[union-attr]
    assert "Traceback" not in "".join(told), "".join(told)


# Frames a second of the film: what the loop and a browser on the same machine keep up with.
_RATE = 10


@pytest.fixture(scope="module")
def film(shared_data: Callable[[str], Path], shipped_model_path: Path) -> Film:
    return Film.read(shared_data("video/single_face.mp4"), shipped_model_path, _RATE)


@pytest.fixture(scope="module")
def filming(start_chromium: Callable[..., Any], film: Film, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("film") / "face.y4m"
    return start_chromium(*fake_camera(path, film.frames, rate=_RATE))


# The picture that a video element shows at this moment.
SHOWN = """
video => {
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d').drawImage(video, 0, 0);
  return canvas.toDataURL();
}
"""


def test_it_shows_picture_box_and_smile(app: str, filming: Any, film: Film) -> None:
    tab = open_page(filming, app)
    component = tab.frame_locator("iframe").first
    component.get_by_role("button", name="START").click(timeout=LONG_S * 1000)
    wait_in(tab, lambda: tab.get_by_text("Face 1: neutral").count(), "his neutral face")
    wait_in(tab, lambda: tab.get_by_text("Face 1: happy").count(), "the smile")
    address = component.locator("video").evaluate(SHOWN)
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(address.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    rows, columns = film.frames[0].shape[:2]
    picture = np.asarray(cv2.resize(shown, (columns, rows)), np.uint8)
    number, difference = nearest(picture, film.frames)
    assert difference < 12
    box = film.boxes[number]
    # The box, green in what came back.
    blue, green, red = (picture[..., channel].astype(np.int16) for channel in range(3))
    _, across = np.nonzero((green - red > 60) & (green - blue > 60))
    assert len(across) > 500
    assert abs(np.percentile(across, 2) - box.x) < 0.2 * box.width
    assert abs(np.percentile(across, 98) - (box.x + box.width)) < 0.25 * box.width
    component.get_by_role("button", name="STOP").click()
    wait_in(tab, lambda: component.get_by_role("button", name="START").count(), "the end")
    assert [one for one in complaints(tab) if "rror" in one] == []
    tab.context.close()
