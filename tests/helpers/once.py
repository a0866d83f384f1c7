"""Things that are made once for all workers of pytest-xdist, where each of them has a session of its own."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest

_Told = TypeVar("_Told")


class Said(NamedTuple):
    """What a command wrote."""

    stdout: str
    stderr: str


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], _Told]) -> tuple[Path, _Told]:
    """Make something in a folder, unless another worker has, and give the folder and what its making told.

    Args:
        factory: Of this worker's temporary folders.
        name: Of the folder.
        make: Fills it; what it gives is kept for the others, so pickle must take it.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, told = base / name, base / f"{name}.pickle"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            # A making that failed here is not gone on with.
            folder.mkdir()
            new = told.with_suffix(".part")
            new.write_bytes(pickle.dumps(make(folder)))
            new.replace(told)
    kept: _Told = pickle.loads(told.read_bytes())
    return folder, kept
