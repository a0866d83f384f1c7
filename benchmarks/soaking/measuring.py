"""What the process holds."""

from __future__ import annotations

import ctypes
import gc
import re
import threading
import time
from pathlib import Path
from typing import NamedTuple

# How long threads that end may take to do so.
_ENDING_S = 20.0


class Held(NamedTuple):
    """What the process holds at one moment.

    Attributes:
        untrimmed_mb: Resident memory as it is, MB (10^6 bytes).
        resident_mb: The same when garbage is collected and freed memory given back.
        threads: Number, native ones as well.
        descriptors: Number of open file descriptors.
    """

    untrimmed_mb: float
    resident_mb: float
    threads: int
    descriptors: int


def held(captures: int) -> Held:
    """Measure when no thread of a lost camera is left.

    Args:
        captures: Threads of cameras that there should be.
    """
    end_s = time.monotonic() + _ENDING_S
    while time.monotonic() < end_s:
        names = [thread.name for thread in threading.enumerate()]
        if sum(name.startswith("capture") for name in names) <= captures:
            break
        time.sleep(0.01)
    untrimmed_mb = _resident_mb()
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # of glibc alone
        trim(0)
    return Held(untrimmed_mb, _resident_mb(), _entries("task"), _entries("fd"))


def _resident_mb() -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024 / 1e6


def _entries(folder: str) -> int:
    return sum(1 for _ in Path("/proc/self", folder).iterdir())
