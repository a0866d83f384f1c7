"""On real videos the shipped model's label follows the face: `benchmarks/video_labels.py`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_edge.models import shipped_model

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "video_labels.py"


def watch(video: Path, model: Path, *expect: str) -> tuple[str, dict[str, float]]:
    """Give what is said, and its numbers: changes within a second, and shares of frames by what is expected."""
    if not SCRIPT.exists():
        pytest.skip("needs the checkout: benchmarks/video_labels.py is not there")
    options = [word for one in expect for word in ("--expect", one)]
    command = [sys.executable, str(SCRIPT), str(video), "--model", str(model), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 1 faces" in done.stdout
    numbers = {"within a second": float(re.findall(r"^most within a second: (\d+)$", done.stdout, re.MULTILINE)[0])}
    shares = re.findall(r"^(\w+ in frames \d+ to \d+): (\d+) of (\d+), ", done.stdout, re.MULTILINE)
    return done.stdout, numbers | {what: int(right) / int(seen) for what, right, seen in shares}


def test_a_man_who_turns_his_smiling_head(shared_data: Callable[[str], Path], shipped_model_path: Path) -> None:
    told, found = watch(shared_data("video/head_pose_male.gif"), shipped_model_path, "happy=0-61")
    assert found["within a second"] <= 1, told
    assert found["happy in frames 0 to 61"] >= 0.9, told


def test_the_small_model_sees_him_smile(shared_data: Callable[[str], Path]) -> None:
    video, small = shared_data("video/single_face.mp4"), shipped_model("nano-int8")
    told, found = watch(video, small, "neutral=0-16", "happy=20-69")
    assert found["within a second"] <= 1, told
    assert found["neutral in frames 0 to 16"] >= 0.9, told
    assert found["happy in frames 20 to 69"] >= 0.7, told


# He shows his teeth from frame 20 on; what lasts a third of a second less is the smoothing's.
def test_a_man_who_begins_to_smile(shared_data: Callable[[str], Path], shipped_model_path: Path) -> None:
    told, found = watch(shared_data("video/single_face.mp4"), shipped_model_path, "neutral=0-16", "happy=20-69")
    assert found["within a second"] <= 1, told
    assert found["neutral in frames 0 to 16"] >= 0.9, told
    assert found["happy in frames 20 to 69"] >= 0.7, told


def test_it_counts_what_the_loop_says(shared_data: Callable[[str], Path], shipped_model_path: Path) -> None:
    told, found = watch(
        shared_data("video/single_face.mp4"), shipped_model_path, "neutral=0-71", "happy=0-71", "sad=0-71"
    )
    assert " on single_face.mp4: 72 frames" in told
    shares = [share for what, share in found.items() if what.endswith("frames 0 to 71")]
    assert len(shares) == 3
    assert 0.95 <= sum(shares) <= 1
    rows = re.findall(r"^ +\d  (\w+ .*\d) +\d$", told, re.MULTILINE)
    assert sum(int(number) for row in rows for number in re.findall(r"\d+", row)) == 72
