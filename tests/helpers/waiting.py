"""Waiting for what another thread or process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

# Of waiting for what comes; an emulated processor beside other work is slow.
LONG_S = 60.0


def wait_until(done: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + LONG_S
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)
