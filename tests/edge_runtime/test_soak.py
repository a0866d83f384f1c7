"""The loop as a service runs it, while everything around it fails: `benchmarks/soak.py`, for less long."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "soak.py"
FAULTS = ("camera ", "output ", "disk ", "log file ")


def soak(*options: str) -> tuple[dict[str, list[int]], str]:
    """Give the numbers of each row of the tables, by name, and all that was said."""
    if not SCRIPT.exists():
        pytest.skip("needs the checkout: benchmarks/soak.py is not there")
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *options], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^\| ([a-z].*?) +\|([ 0-9,|.-]+)\|$", done.stdout, re.MULTILINE)
    return {
        name: [int(value.replace(",", "")) for value in values.split("|") if value.strip().replace(",", "").isdigit()]
        for name, values in rows
    }, done.stdout


def test_nothing_is_lost_that_is_not_counted() -> None:
    # So few frames are not enough for memory to settle.
    rows, told = soak("--frames", "2000", "--warm-up", "1000", "--growth-mb", "20")
    injected = {name: numbers[0] for name, numbers in rows.items() if name.startswith(FAULTS) and "busy" not in name}
    assert len(injected) == 12
    assert min(injected.values()) > 0, told
    assert rows["reload"][:2] == [4, 4]
    given, arrived, lost, counted, left = rows["pictures of the camera"]
    assert lost == counted > 0
    assert arrived >= 2000
    assert given == arrived + lost + left
    assert rows["lines of jsonl"][2] == rows["lines of jsonl"][3] > 0


def test_without_faults_nothing_is_lost_but_pictures() -> None:
    rows, _ = soak("--frames", "1500", "--warm-up", "500", "--faults", "0", "--growth-mb", "20")
    assert rows["camera hangs"] == rows["log file moved"] == rows["output raises LostError"] == [0, 0, 0, 0]
    given, arrived, lost, counted, _ = rows["pictures of the camera"]
    assert lost == counted < given
    assert arrived >= 1500


@pytest.mark.slow
def test_twenty_thousand_frames_leave_nothing_behind() -> None:
    rows, told = soak("--frames", "20000", "--warm-up", "5000")
    assert rows["pictures of the camera"][1] >= 20_000
    assert all(numbers[0] >= 100 for name, numbers in rows.items() if name.startswith("log file")), told
