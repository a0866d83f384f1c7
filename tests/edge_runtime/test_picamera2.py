"""The Raspberry Pi's camera, by the real picamera2 with libcamera stood in for, so that a change of its API is noticed.

FER_TEST_PICAMERA2_PYTHON: a Python that has picamera2, pytest and fer-edge (`make .venv-picamera2/ready`). It runs
libcamera_stand_in/*_checks.py once; what they hold is told here one by one.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

STAND_IN = Path(__file__).with_name("libcamera_stand_in")
CHECKS = sorted(STAND_IN.glob("*_checks.py"))
HELD = [name for path in CHECKS for name in re.findall(r"^def test_(\w+)\(", path.read_text(encoding="utf-8"), re.M)]
assert HELD


@pytest.fixture(scope="module")
def outcomes(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Give, by name of the check, what each of its cases says: nothing where it passes."""
    python = os.environ.get("FER_TEST_PICAMERA2_PYTHON")
    if not python:
        pytest.skip("FER_TEST_PICAMERA2_PYTHON names no Python that has picamera2")
    report = tmp_path_factory.mktemp("picamera2") / "report.xml"
    done = subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider", "-p", "only_camera", f"--junit-xml={report}", *CHECKS],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(STAND_IN)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    told: dict[str, list[str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.attrib["name"].partition("[")[0].removeprefix("test_")
        told.setdefault(name, []).append("\n".join(part.text or "" for part in case if part.tag != "properties"))
    assert told, done.stdout + done.stderr
    return told


@pytest.mark.parametrize("held", HELD)
def test_with_the_real_picamera2(outcomes: dict[str, list[str]], held: str) -> None:
    assert held in outcomes, "it was not run"
    failures = [text for text in outcomes[held] if text]
    assert not failures, "\n\n".join(failures)
