from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# How long a busy machine may take for anything.
LONG_S = 60.0
WATCHDOG_S = 4.0


class Service:
    """A process that tells how it is, and what it told."""

    def __init__(self, folder: Path, address: str, **settings: Any) -> None:
        folder.mkdir()
        self.folder, self.results = folder, folder / "results.jsonl"
        self.messages: list[tuple[float, str]] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listener.bind(str(folder / "notify"))
        self.configure(address, **settings)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": self._listener.getsockname(),
            "WATCHDOG_USEC": str(round(WATCHDOG_S * 1e6)),
        }
        self._told = (folder / "stderr").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fer_edge", "run", "--config", str(folder / "config.toml")],
            env=environment,
            stderr=self._told,
        )

    def configure(self, address: str, **settings: Any) -> None:
        """Write the configuration; a keyword's two underscores stand for a dot."""
        given = {
            "source.uri": address,
            "source.patience_s": 1.0,
            "source.reconnect.pause_s": 0.1,
            "source.reconnect.max_pause_s": 0.3,
            "model.threads": 1,
            "output.to": ["jsonl"],
            "output.jsonl.path": str(self.results),
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items())
        (self.folder / "config.toml").write_text(text)

    @property
    def told(self) -> str:
        """What it said on stderr."""
        return (self.folder / "stderr").read_text()

    def lines(self) -> list[dict[str, Any]]:
        """Give all results so far."""
        text = self.results.read_text() if self.results.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def said(self, what: str) -> list[float]:
        """Tell when it said something."""
        return [at for at, message in self.messages if what in message]

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is so."""
        end = time.monotonic() + LONG_S
        while not condition():
            assert self.process.poll() is None, f"ended before {what}: {self.told}"
            assert time.monotonic() < end, f"no {what}: {self.messages[-5:]}, {self.told}"
            time.sleep(0.02)

    def wait_for_results(self, number: int = 5) -> None:
        """Wait for more results than there are."""
        there = len(self.lines())
        self.wait(lambda: len(self.lines()) >= there + number, "results")

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end; give its exit code and how long that took, seconds."""
        began = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(LONG_S), time.monotonic() - began

    def close(self) -> None:
        """Let nothing stay."""
        self.process.kill()
        self.process.wait()
        self._told.close()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _listen(self) -> None:
        while message := self._listener.recv(4096):
            self.messages.append((time.monotonic(), message.decode()))
