"""`benchmarks/reference_speed.py`, with little to measure."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "reference_speed.py"
NAMES = ["mini-xception-48-fp32", "mini-xception-48-int8", "mini-xception-64-fp32", "mini-xception-64-int8"]


def compare(*arguments: object) -> subprocess.CompletedProcess[str]:
    if not SCRIPT.exists():
        pytest.skip("needs the checkout: benchmarks/reference_speed.py is not there")
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_model_beside_the_reference(model_path: Path) -> None:
    done = compare(model_path, "--untrained", "cnn-1@16", "--runs", 20, "--seconds", 0, "--markdown")
    assert done.returncode == 0, done.stdout + done.stderr
    head, _, *rows = [line.strip("| ").split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    assert [cell.strip() for cell in head] == ["model", "bytes", "p50 ms (95 %)", *(f"/ {name}" for name in NAMES)]
    assert [row[0].strip() for row in rows][:4] == NAMES
    assert len(rows) == 6
    assert rows[5][0].strip() == "cnn-1-16-int8"
    for number, row in enumerate(rows):
        for column, cell in enumerate(row[2:]):
            if column == number + 1:
                assert cell.strip() == "1"
                continue
            numbers = re.fullmatch(r" *([\d.]+) \(([\d.]+) to ([\d.]+)\) *", cell)
            assert numbers, cell
            value, low, high = map(float, numbers.groups())
            assert 0 < low <= value <= high


def test_what_cannot_be_measured_is_told_at_once(tmp_path: Path) -> None:
    absent = compare(tmp_path / "absent.tflite")
    assert absent.returncode == 1
    assert absent.stderr.splitlines()[-1].startswith(f"error: cannot read model {tmp_path / 'absent.tflite'}")
    sizeless = compare("--untrained", "cnn-1")
    assert sizeless.returncode == 2
    assert "'cnn-1' is no architecture with a size of 8 to 1024 pixels" in sizeless.stderr.splitlines()[-1]
