from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fer_bench import start
from fer_edge.errors import FerError

# Starts a fresh process of the benchmark from a small process and prints the largest memory that the kernel accounts
# to it, kibibytes. It inherits that figure from the process that starts it, so the one that runs tests would not do.
OUTSIDE = """
import os, sys
files = [
    (os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, sys.argv[2], os.O_WRONLY | os.O_CREAT, 0o600),
]
command = [sys.executable, "-m", "fer_bench.start"]
child = os.posix_spawn(sys.executable, command, os.environ, file_actions=files)
print(os.wait4(child, 0)[2].ru_maxrss)
"""


def test_load_and_first_face_and_memory_are_told(tiny_int8: Path, tiny_fp32: Path) -> None:
    steps: list[int] = []
    small, large = start.measure([(tiny_int8, None, 1), (tiny_fp32, None, 2)], 2, steps.append)
    assert isinstance(small, start.Start)
    assert isinstance(large, start.Start)
    assert len(steps) == 4
    for found in (small, large):
        assert len(found.load_ms) == len(found.first_ms) == len(found.peak_bytes) == len(found.empty_bytes) == 2
        assert min(found.load_ms) > min(found.first_ms) > 0
        # A process with NumPy and OpenCV has tens of megabytes; the model comes on top.
        assert 20e6 < min(found.empty_bytes) < min(found.peak_bytes) < 500e6
    assert small.empty_bytes == large.empty_bytes


def test_the_peak_is_what_the_system_accounts_to_the_process(tiny_fp32: Path, tmp_path: Path) -> None:
    task, told = tmp_path / "task.json", tmp_path / "told.json"
    task.write_text(json.dumps({"model": str(tiny_fp32), "threads": 1, "runtime": None}))
    command = [sys.executable, "-c", OUTSIDE, str(task), str(told)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak = json.loads(told.read_text())["peak_bytes"]
    assert peak == pytest.approx(1024 * int(done.stdout), rel=0.1)


def test_what_cannot_be_loaded_does_not_hinder_the_others(tiny_int8: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"no model")
    failed, found = start.measure([(bad, None, 1), (tiny_int8, None, 1)], 1)
    assert isinstance(failed, FerError)
    assert "a fresh process failed: " in str(failed)
    assert f"{bad} is not a TFLite model" in str(failed)
    assert isinstance(found, start.Start)


def test_a_system_without_the_figure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "status").write_text("Name:\tpython\n")
    monkeypatch.setattr(start, "_STATUS", tmp_path / "status")
    with pytest.raises(FerError, match="tells no VmHWM: memory cannot be measured on this system"):
        start.peak_bytes()
