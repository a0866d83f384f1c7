"""The service in a machine: how it is, what it has written, and what was lost."""

from __future__ import annotations

import itertools
import json
from datetime import datetime
from typing import Any, NamedTuple

from emulated import Machine

CONFIGURATION = "/etc/fer-edge/config.toml"
MODELS = "/var/lib/fer-edge/models"
LOG = "/var/log/fer-edge/results.jsonl"
# What happens in seconds on a board may take minutes where a busy machine emulates it.
PATIENCE_S = 400.0


class Written(NamedTuple):
    """A file of results.

    Attributes:
        results: Of its whole lines.
        torn: After how many of them a torn line stands, for each torn line.
    """

    results: list[dict[str, Any]]
    torn: list[int]

    def times(self) -> list[float]:
        """Give the times of the results, seconds since 1970 by the machine's clock."""
        return [datetime.fromisoformat(result["time"]).timestamp() for result in self.results]


class Fault(NamedTuple):
    """A row of the table of faults.

    Attributes:
        name: What was done.
        tries: How often.
        survived: How often all was well afterwards.
        lost: What was.
    """

    name: str
    tries: int
    survived: int
    lost: str


class Service:
    """fer-edge in a machine."""

    def __init__(self, machine: Machine) -> None:
        """Look at nothing yet."""
        self.machine = machine

    @property
    def state(self) -> str:
        """Of systemd, such as active."""
        return self.machine.shown("ActiveState")["ActiveState"]

    @property
    def process(self) -> str:
        """Number of its main process; 0 for none."""
        return self.machine.shown("MainPID")["MainPID"]

    @property
    def restarts(self) -> int:
        """How often systemd has restarted it by itself since it was started."""
        return int(self.machine.shown("NRestarts")["NRestarts"])

    @property
    def status(self) -> str:
        """What it tells systemd."""
        return self.machine.shown("StatusText")["StatusText"]

    def now(self) -> float:
        """Seconds since 1970 by the machine's clock."""
        return float(self.machine.output("date +%s.%N"))

    def size(self) -> int:
        """Of its file of results, bytes."""
        return int(self.machine.output(f"stat -c %s {LOG} 2>/dev/null || echo 0"))

    def works(self, timeout_s: float = PATIENCE_S) -> float:
        """Wait until it is active and writes lines; give how long that took, seconds. Raises `TimeoutError`."""
        seconds = self.machine.wait("the service is active", lambda: self.state == "active", timeout_s)
        before = self.size()
        return seconds + self.machine.wait("the service writes results", lambda: self.size() > before + 500, timeout_s)

    def restarted(self, before: int, timeout_s: float = PATIENCE_S) -> float:
        """Wait until systemd has restarted it and it works again; give how long that took, seconds."""
        seconds = self.machine.wait("systemd restarts the service", lambda: self.restarts > before, timeout_s)
        return seconds + self.works(timeout_s)

    def told(self, since: float) -> list[str]:
        """Give the lines that it and systemd have written of it to the journal since a time."""
        return self.machine.output(f"journalctl -u fer-edge -o cat --no-pager --since @{since:.3f}").splitlines()

    def written(self) -> Written:
        """Read its file of results."""
        results: list[dict[str, Any]] = []
        torn = []
        for line in self.machine.output(f"cat {LOG}").splitlines():
            try:
                results.append(json.loads(line))
            except ValueError:
                torn.append(len(results))
        return Written(results, torn)

    def silence(self, since: float) -> float:
        """Give the longest time between two results after a time, seconds by the machine's clock."""
        times = [time for time in self.written().times() if time >= since]
        return max((later - earlier for earlier, later in itertools.pairwise(times)), default=0.0)
