from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import cv2
import pytest

pytest.importorskip("aiohttp", reason="needs aiohttp (extra web)")

from fer_edge.classifier import Classifier
from pages import Served, Shown


@pytest.fixture
def show(classifier: Classifier, model_path: Path) -> Iterator[Callable[..., Shown]]:
    """Give a function from settings of the preview to one that serves."""
    with ExitStack() as stack:
        yield lambda **preview: stack.enter_context(Shown(classifier, model_path, **preview))


@pytest.fixture
def serve(classifier: Classifier) -> Iterator[Callable[..., Served]]:
    """Give a function from settings to one that serves browsers' cameras."""
    with ExitStack() as stack:
        yield lambda **preview: stack.enter_context(Served(classifier, **preview))


@pytest.fixture(scope="session")
def portrait(shared_data: Callable[[str], Path]) -> bytes:
    """Give a face that smiles, as JPEG."""
    image = cv2.imread(str(shared_data("photos/skimage_astronaut.png")))
    return bytes(cv2.imencode(".jpg", image[:300, 50:450])[1].tobytes())


@pytest.fixture(scope="session")
def people(shared_data: Callable[[str], Path]) -> bytes:
    """Give several faces, as JPEG."""
    return shared_data("photos/pyfeat_multi_face.jpg").read_bytes()
