"""A camera is not closed under the thread that waits for its picture."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import SourceError
from fer_edge.sources._handle import Handle


class Camera:
    """One of OpenCV's, as far as it is asked here; `grab` waits until it is let go."""

    def __init__(self) -> None:
        self.go, self.waiting = threading.Event(), threading.Event()
        self.good = True
        self.told: list[str] = []

    def grab(self) -> bool:
        self.waiting.set()
        self.go.wait()
        self.told.append("grabbed")
        return self.good

    def retrieve(self) -> tuple[bool, Any]:
        return True, np.zeros((2, 2, 3), np.uint8)

    def release(self) -> None:
        self.told.append("released")


def test_one_that_hangs_is_left_to_its_thread() -> None:
    camera = Camera()
    handle = Handle(camera)  # type: ignore[arg-type]
    thread = threading.Thread(target=handle.shoot, args=("lost",))
    thread.start()
    assert camera.waiting.wait(10)
    handle.close()
    assert camera.told == []
    camera.go.set()
    thread.join(10)
    assert camera.told == ["grabbed"]


def test_one_that_gives_pictures_is_released() -> None:
    camera = Camera()
    camera.go.set()
    handle = Handle(camera)  # type: ignore[arg-type]
    assert handle.shoot("lost")[0].shape == (2, 2, 3)
    handle.close()
    assert camera.told == ["grabbed", "released"]


def test_one_that_grabs_nothing_says_so() -> None:
    camera = Camera()
    camera.go.set()
    camera.good = False
    with pytest.raises(SourceError, match=r"^the stream ended$"):
        Handle(camera).shoot("the stream ended")  # type: ignore[arg-type]
