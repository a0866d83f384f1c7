"""The picture that latencies are measured on: a camera's frame with a face in it."""

from __future__ import annotations

import numpy as np

from fer_edge.box import Box
from fer_edge.preprocessing import Pixels

# What is in the box costs the same whatever it shows.
FACE = Box(220, 120, 200, 200)


def frame() -> Pixels:
    """Give the frame, [480, 640] uint8."""
    return np.random.default_rng(0).integers(0, 256, (480, 640), np.uint8)
