"""Programs that end, fail, hang, and leave others behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fer_edge import processes


def alive(process: int) -> bool:
    """Tell whether a process runs; one that has ended and that nobody has asked about yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_a_program_says() -> None:
    code = "import sys; print(sys.stdin.read() + 'out'); print('err', file=sys.stderr); sys.exit(3)"
    done = processes.run([sys.executable, "-c", code], 60)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


def test_a_program_that_is_missing() -> None:
    with pytest.raises(FileNotFoundError):
        processes.run(["/nowhere/program"], 60)


def test_a_program_that_hangs_ends_with_all_that_it_started(tmp_path: Path) -> None:
    # The shell waits for a child that holds its output open.
    program = tmp_path / "hangs"
    program.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path}/child\necho $$ > {tmp_path}/self\nwait\n")
    program.chmod(0o755)
    with pytest.raises(subprocess.TimeoutExpired):
        processes.run([str(program)], 1)
    for name in ("self", "child"):
        number = int((tmp_path / name).read_text())
        deadline = time.monotonic() + 30
        while alive(number) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not alive(number)
    assert os.getpgrp() != int((tmp_path / "self").read_text())
