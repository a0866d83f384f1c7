"""Other programs, run for a limited time."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence

_END_S = 0.5


def run(command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[bytes]:
    """Run a program without input; after a time kill it with all that it started.

    Unlike `subprocess.run` it then waits for no program that hangs within the kernel, as one that asks a driver may.

    Args:
        command: Program and arguments.
        seconds: That it may take.

    Raises:
        OSError: It cannot be started.
        subprocess.TimeoutExpired: It took longer.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # by which its children are found
    )
    try:
        output, errors = process.communicate(timeout=seconds)
    finally:
        if process.returncode is None:
            _abandon(process)
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _abandon(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_END_S)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
