from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from brokers import Mosquitto, Subscriber
from fer_edge.classifier import Classifier
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import InputSpec, ModelMetadata, Origin
from fer_edge.types import Face, Frame, Result, StageTimes
from network_camera import NetworkCamera

# The console script is not in every environment that the tests run in; this is what it does.
COMMAND = (sys.executable, "-m", "fer_edge")


@pytest.fixture(scope="session")
def classifier(model_path: Path) -> Classifier:
    return Classifier.load(model_path)


@pytest.fixture(scope="session")
def metadata() -> ModelMetadata:
    return ModelMetadata(
        name="small-int8",
        recipe="int8",
        labels=EXPRESSIONS,
        input=InputSpec(height=48, width=48, channels=1, color="gray", scale=1 / 255, offset=0.0),
        parameters=1234,
        minimum_runtime="2.3.0",
        origin=Origin(
            run="small",
            architecture="mobilenetv2",
            data="fer2013",
            data_sha256="0" * 64,
            created="2026-11-21T20:15:02+00:00",
            versions={"numpy": "2.0.0"},
        ),
    )


@pytest.fixture(scope="session")
def make_frame() -> Callable[..., Frame]:
    def make(index: int = 0, image: npt.NDArray[np.uint8] | None = None, dropped: int = 0) -> Frame:
        return Frame(
            index=index,
            source="test",
            image=np.zeros((60, 80), np.uint8) if image is None else image,
            captured_ns=0,
            captured_at=datetime(2026, 11, 21, 20, 15, 2, 113_000, UTC),
            capture_ms=0.5,
            at_s=index / 30,
            dropped=dropped,
        )

    return make


@pytest.fixture(scope="session")
def make_result(make_frame: Callable[..., Frame]) -> Callable[..., Result]:
    """Give a function from the number of a frame and faces to a result."""

    def make(index: int = 0, *faces: Face) -> Result:
        frame = make_frame(index)
        return Result(index, frame.captured_at, frame.source, 1.0, 0, faces, StageTimes(0.1, 0.2, 0.3, 0.6))

    return make


@pytest.fixture(scope="session")
def fer_edge() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command as a user does."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False, env=os.environ
        )

    return run


@pytest.fixture(scope="session")
def start_fer_edge() -> Callable[..., subprocess.Popen[str]]:
    """Start the command and leave it running."""

    def start(*arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )

    return start


@pytest.fixture
def network_camera() -> Iterator[NetworkCamera]:
    """Give one that shows a face."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image (extra demo)")
    portrait = cv2.cvtColor(data.astronaut()[:300, 50:450], cv2.COLOR_RGB2BGR)
    with NetworkCamera(np.asarray(portrait, np.uint8)) as camera:
        yield camera


@pytest.fixture
def start_broker(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Give a function from lines of its configuration to a broker."""
    if shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin") is None:
        pytest.skip("needs the broker mosquitto: scripts/system-packages --mqtt")
    started = []

    def start(*lines: str) -> Mosquitto:
        started.append(Mosquitto(tmp_path, *(lines or ("allow_anonymous true",))))
        return started[-1]

    yield start
    for broker in started:
        broker.kill()


@pytest.fixture
def broker(start_broker: Callable[..., Mosquitto]) -> Mosquitto:
    """Give a broker that lets everybody in."""
    return start_broker()


@pytest.fixture
def subscribe() -> Iterator[Callable[[int], Subscriber]]:
    """Give a function from the port of a broker to one who listens to all it says."""
    made = []

    def make(port: int) -> Subscriber:
        made.append(Subscriber(port))
        return made[-1]

    yield make
    for one in made:
        one.close()
