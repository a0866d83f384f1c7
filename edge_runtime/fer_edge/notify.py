"""What a service tells systemd, by datagrams: ready, status, alive, reloading, stopping.

The protocol is that of sd_notify(3) and sd_watchdog_enabled(3): lines of NAME=VALUE to the socket in $NOTIFY_SOCKET.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from fer_edge.command import warn

# Of the watchdog's period: systemd asks for half at most, and a frame that takes long must not be missed.
_BEATS = 4
# What is said once must arrive, what is said again and again need not; seconds.
_PATIENCE_S = 1.0


class Notifier:
    """Tells systemd; does nothing where nobody listens.

    Nothing here raises, or waits for more than a second where systemd is busy: what works must not end because
    systemd restarts.

    Example:
        >>> notifier = Notifier.from_environment(os.environ)
        >>> notifier.ready("30.1 frames/s")
        >>> notifier.alive()  # with each frame; what is sent is less
    """

    def __init__(
        self,
        address: str | None,
        watchdog_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], object] = warn,
    ) -> None:
        """Know where to send.

        Args:
            address: Path of a datagram socket, or an abstract name that begins with "@"; None for nobody.
            watchdog_s: Without a sign of life for so long the service is ended, seconds; None where nobody watches.
            clock: Gives seconds of a clock that does not jump.
            tell: Takes a line where nothing can be sent, once.
        """
        self.watchdog_s = watchdog_s if address else None
        self._address = f"\0{address[1:]}" if address and address.startswith("@") else address
        self._clock, self._tell = clock, tell
        self._due_s = float("-inf")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Notifier:
        """Read $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID."""
        period = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        watchdog_s = int(period) / 1e6 if period.isdecimal() and int(period) and mine else None
        return cls(environment.get("NOTIFY_SOCKET") or None, watchdog_s)

    @property
    def listened(self) -> bool:
        """Whether anybody listens."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """Tell that the service works; also that a reload has ended."""
        self._send(f"READY=1\nSTATUS={_line(status)}", _PATIENCE_S)

    def status(self, status: str) -> None:
        """Tell people how it goes, in one line."""
        self._send(f"STATUS={_line(status)}")

    def starting(self, status: str, within_s: float) -> None:
        """Ask for more time to become ready, from now, seconds."""
        self._send(f"STATUS={_line(status)}\nEXTEND_TIMEOUT_USEC={round(within_s * 1e6)}")

    def reloading(self) -> None:
        """Tell that the configuration is read again; `ready` ends it."""
        self._send(
            f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}\nSTATUS=reading the configuration again",
            _PATIENCE_S,
        )

    def stopping(self) -> None:
        """Tell that the service ends."""
        self._send("STOPPING=1\nSTATUS=stopping", _PATIENCE_S)

    def alive(self) -> None:
        """Give the watchdog its sign of life, where it is due. For the loop alone: see `supervision`."""
        if self.watchdog_s is None:
            return
        now = self._clock()
        if now >= self._due_s:
            self._due_s = now + self.watchdog_s / _BEATS
            self._send("WATCHDOG=1")

    def _send(self, message: str, patience_s: float = 0.0) -> None:
        if not self._address:
            return
        import socket  # most runs are no service

        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.settimeout(patience_s)
                sender.sendto(message.encode(errors="replace"), self._address)
        except OSError as error:
            self._tell(f"systemd cannot be told of the service: {error.strerror or error}")
            # One line is enough; the next message may get through again.
            self._tell = _nobody


def _line(text: str) -> str:
    return " ".join(text.split())


def _nobody(_: str) -> None:
    """Take a line, and leave it."""
