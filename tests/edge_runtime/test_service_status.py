"""The status of the service, from what systemd 252 printed of one; the boot test asks a real one."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from fer_edge.cli import main
from fer_edge.errors import FerError
from fer_edge.service import systemctl
from fer_edge.service.layout import Layout
from fer_edge.service.status import examine

SHOWN = {
    "Result": "success",
    "NRestarts": "2",
    "StatusText": "14.8 frames/s, happy",
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "ActiveEnterTimestampMonotonic": "0",
}
LOST = "no camera /dev/video0 (video devices found: none): is it plugged in?"
ENTRIES = [  # newest first
    {"MESSAGE": "Started fer-edge.service - Facial-expression recognition.", "PRIORITY": "6", "_PID": "1"},
    {"MESSAGE": "Failed to start fer-edge.service - Facial-expression recognition.", "PRIORITY": "3", "_PID": "1"},
    {"MESSAGE": "fer-edge.service: Failed with result 'exit-code'.", "PRIORITY": "4", "_PID": "1"},
    {
        "MESSAGE": "error: no camera /dev/video0 (video devices found: none): is it plugged in?",
        "PRIORITY": "6",
        "_PID": "9",
    },
    {"MESSAGE": "fer-edge.service: Failed with result 'watchdog'.", "PRIORITY": "4", "_PID": "1"},
    {"MESSAGE": [255, 254], "PRIORITY": "6", "_PID": "9"},
]


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder of programs that answer with what is in files."""
    for program, file in (("systemctl", "shown"), ("journalctl", "journal"), ("systemd-analyze", "exposure")):
        path = tmp_path / program
        path.write_text(f"#!/bin/sh\nexec cat {tmp_path}/{file}\n")
        path.chmod(0o755)
    answer(tmp_path)
    (tmp_path / "exposure").write_text("→ Overall exposure level for fer-edge.service: 0.4 SAFE :-}\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(systemctl, "RUNNING", tmp_path)
    return tmp_path


def answer(folder: Path, entries: list[dict[str, object]] = ENTRIES, **shown: str) -> None:
    properties = SHOWN | {"ActiveEnterTimestampMonotonic": str(time.monotonic_ns() // 1000 - 3_600_000_000)} | shown
    (folder / "shown").write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    lines = [json.dumps({**one, "__REALTIME_TIMESTAMP": "1795370400000000"}) for one in entries]
    (folder / "journal").write_text("\n".join(lines))


def test_a_service_that_runs(systemd: Path) -> None:
    found = examine(Layout())
    assert (found.state, found.restarts, found.frames_per_second, found.exposure) == ("active (running)", 2, 14.8, 0.4)
    assert found.uptime_s is not None
    assert 3600 <= found.uptime_s < 3660
    assert found.last_error is not None
    assert found.last_error.text == LOST
    assert found.last_error.at.isoformat() == "2026-11-22T18:00:00+00:00"


def test_what_is_printed(systemd: Path) -> None:
    lines = CliRunner().invoke(main, ["service", "status"]).stdout.splitlines()
    assert lines == [
        "state       active (running)",
        "uptime      1 h 0 min",
        "restarts    2",
        "rate        14.8 frames/s",
        "status      14.8 frames/s, happy",
        f"last error  2026-11-22 18:00:00 UTC  {LOST}",
        "exposure    0.4 of 10",
    ]
    told = json.loads(CliRunner().invoke(main, ["service", "status", "--json"]).stdout)
    assert told["last_error"]["at"] == "2026-11-22T18:00:00Z"
    assert told["status"] == "14.8 frames/s, happy"


def test_a_service_that_was_killed_by_its_watchdog(systemd: Path) -> None:
    answer(systemd, ENTRIES[4:], ActiveState="activating", SubState="auto-restart", Result="watchdog", StatusText="")
    lines = dict(line.split("  ", 1) for line in CliRunner().invoke(main, ["service", "status"]).stdout.splitlines())
    assert lines["state"].strip() == "activating (auto-restart), ended last by watchdog"
    assert lines["uptime"].strip() == "not running"
    assert lines["rate"].strip() == "not told"
    assert "Failed with result 'watchdog'" in lines["last error"]


def test_without_a_journal_that_may_be_read(systemd: Path) -> None:
    answer(systemd, [])
    assert examine(Layout()).last_error is None


def test_a_service_that_is_not_installed(systemd: Path) -> None:
    answer(systemd, LoadState="not-found")
    with pytest.raises(FerError, match=r"fer-edge\.service is not installed: 'sudo fer-edge service install'"):
        examine(Layout())
