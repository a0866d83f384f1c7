"""Who listens in place of systemd."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Self


class Listener:
    """Receives what a service tells; a context manager.

    Attributes:
        address: Of the socket.
        messages: How many came, by their first line's beginning.
        silent_s: The longest time between two signs of life, seconds.
    """

    def __init__(self, path: Path) -> None:
        """Open the socket."""
        self.address = str(path)
        self.messages: Counter[str] = Counter()
        self.silent_s = 0.0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        last_s: float | None = None
        while message := self._socket.recv(4096).decode():
            name = message.partition("\n")[0]
            self.messages[name if name.endswith("=1") else name.partition("=")[0]] += 1
            if name == "WATCHDOG=1":
                now = time.monotonic()
                self.silent_s = max(self.silent_s, now - (last_s or now))
                last_s = now
