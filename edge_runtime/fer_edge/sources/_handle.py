"""A camera or stream that OpenCV reads, held by two threads: the one that waits for its pictures, and the loop's."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np

from fer_edge.errors import SourceError
from fer_edge.preprocessing import Pixels

# For a picture that is about to come, and no more: the loop waits to end, or for the camera to be opened anew.
_CLOSING_S = 0.5


class Handle:
    """Keeps a camera of OpenCV's from being closed under the thread that waits for its picture: that would crash."""

    def __init__(self, camera: cv2.VideoCapture) -> None:
        """Take the camera, open."""
        self._camera = camera
        self._waiting = threading.Lock()

    def shoot(self, lost: str) -> tuple[Pixels, int, float]:
        """Wait for the next picture.

        Args:
            lost: What to say where none can be grabbed.

        Returns:
            The picture; `time.monotonic_ns()` of its capture; what decoding it cost, milliseconds.

        Raises:
            SourceError: There is none, or it cannot be decoded.
        """
        with self._waiting:
            if not self._camera.grab():
                raise SourceError(lost)
            captured = time.monotonic_ns()
            good, image = self._camera.retrieve()
            if not good:
                raise SourceError("a frame could not be decoded")
            return np.asarray(image, np.uint8), captured, (time.monotonic_ns() - captured) / 1e6

    def close(self) -> None:
        """Release the camera; one that hangs is released with its thread, if that ever comes back."""
        if self._waiting.acquire(timeout=_CLOSING_S):
            self._camera.release()
            self._waiting.release()
