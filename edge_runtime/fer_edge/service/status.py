"""How the service is: what systemd, its journal and its judgement of the sandbox tell."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from fer_edge.errors import FerError
from fer_edge.service.layout import Layout
from fer_edge.service.steps import attempt, call

_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "StatusText",
    "NRestarts",
    "ActiveEnterTimestampMonotonic",
)
# Lines of the journal that are looked through; the service may write one a frame.
_LINES = 2000
_WARNING = 4  # syslog's number
# What `fer-edge run` tells systemd begins with its rate.
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?) frames/s")
# What systemd says after the program has said itself what is wrong.
_FOLLOWS = re.compile(r"result 'exit-code'|^Failed to start ")
_EXPOSURE = re.compile(r"exposure level for \S+: ([0-9.]+)")


class LastError(msgspec.Struct, frozen=True):
    """A line of the journal.

    Attributes:
        at: When it was written, UTC.
        text: What it says.
    """

    at: datetime
    text: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How the service is.

    Attributes:
        unit: Its name.
        state: systemd's words, such as "active (running)" or "failed (failed)".
        result: How it ended last: "success", "exit-code", "watchdog", "signal", "timeout" and so on.
        uptime_s: Seconds since it was ready; None while it is not.
        restarts: By systemd, since somebody started it last.
        frames_per_second: As the service tells it; None where it does not.
        status: All that the service tells; empty where it tells nothing.
        last_error: The newest one in the journal; None without, or without leave to read it.
        exposure: By `systemd-analyze security`, 0 (shut in) to 10; None without that program.
    """

    unit: str
    state: str
    result: str
    uptime_s: float | None
    restarts: int
    frames_per_second: float | None
    status: str
    last_error: LastError | None
    exposure: float | None


def examine(layout: Layout) -> Status:
    """Ask systemd.

    Raises:
        FerError: The service is not installed, or systemd does not answer.
    """
    told = call(["systemctl", "show", layout.unit, f"--property={','.join(_PROPERTIES)}"])
    found = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    if found.get("LoadState") != "loaded":
        raise FerError(f"{layout.unit} is not installed: 'sudo fer-edge service install' does it")
    since_us = int(found["ActiveEnterTimestampMonotonic"] or 0)
    active = found["ActiveState"] in ("active", "reloading")
    rate = _RATE.search(found["StatusText"])
    return Status(
        unit=layout.unit,
        state=f"{found['ActiveState']} ({found['SubState']})",
        result=found["Result"],
        uptime_s=round(time.clock_gettime(time.CLOCK_MONOTONIC) - since_us / 1e6, 1) if active else None,
        restarts=int(found["NRestarts"] or 0),
        frames_per_second=float(rate[1]) if rate and active else None,
        status=found["StatusText"],
        last_error=_last_error(layout),
        exposure=_exposure(layout),
    )


def _last_error(layout: Layout) -> LastError | None:
    for entry in _journal(layout):
        text = str(entry.get("MESSAGE", ""))
        systemds = entry.get("_PID") == "1" and int(entry.get("PRIORITY", 7)) <= _WARNING
        if text.startswith(("error: ", "Traceback ")) or (systemds and not _FOLLOWS.search(text)):
            at = datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
            return LastError(at, text.removeprefix("error: "))
    return None


def _journal(layout: Layout) -> Iterator[dict[str, Any]]:
    """Give the entries of the journal, newest first; none where it may not be read."""
    command = ["journalctl", f"--unit={layout.unit}", "--output=json", f"--lines={_LINES}", "--reverse", "--no-pager"]
    for line in attempt(command).stdout.splitlines():
        yield json.loads(line)


def _exposure(layout: Layout) -> float | None:
    if shutil.which("systemd-analyze") is None:
        return None
    told = attempt(["systemd-analyze", "security", "--no-pager", layout.unit]).stdout.decode(errors="replace")
    found = _EXPOSURE.search(told)
    return float(found[1]) if found else None
