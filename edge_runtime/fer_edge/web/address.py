"""Where the page is: HOST:PORT, and who gets there without a token."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from fer_edge.errors import UsageError
from fer_edge.settings.preview import DEFAULT_ADDRESS

# Other addresses of 127.0.0.0/8 are this machine's as well, but others may have put something in front of them.
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_FORM = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<host>[^\[\]:/@?#\s]*))(?::(?P<port>[0-9]{1,5}))?")
# Of documentation (RFC 5737): nothing is sent there.
_ELSEWHERE = ("192.0.2.1", 9)


@dataclass(frozen=True)
class Address:
    """Where to listen.

    Attributes:
        host: Name or address, without brackets.
        port: 0 for any that is free.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read "HOST:PORT", "[IPv6]:PORT", "HOST", ":PORT" or "PORT".

        Raises:
            UsageError: It is none of these.

        Example:
            >>> Address.parse("[::1]:8080")
            Address(host='::1', port=8080)
        """
        host, _, port = DEFAULT_ADDRESS.rpartition(":")
        if text.isdecimal():
            text = f":{text}"
        form = _FORM.fullmatch(text)
        if form is None or not text or int(form["port"] or port) > 65535:
            raise UsageError(f"{text!r} is no HOST:PORT: give one such as {DEFAULT_ADDRESS} or [::1]:8080")
        return cls(form["six"] or form["host"] or host, int(form["port"] or port))

    @property
    def is_loopback(self) -> bool:
        """Whether programs of this machine alone get there, and no token is needed."""
        return self.host.lower() in LOOPBACK

    def url(self, port: int, *, tls: bool, token: str | None) -> str:
        """Give what a person opens.

        Args:
            port: That is listened at.
            tls: Whether it is https.
            token: None where none is needed.
        """
        host = _reachable(self.host) if _is_any(self.host) else self.host
        place = f"[{host}]" if ":" in host else host
        return f"http{'s' if tls else ''}://{place}:{port}/{f'?token={token}' if token else ''}"


def _is_any(host: str) -> bool:
    """Tell whether it stands for all addresses of this machine."""
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_unspecified
    except ValueError:  # a name
        return False


def _reachable(host: str) -> str:
    """Name an address of this machine by which others may reach it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)  # of UDP: chooses an address, sends nothing
            found: str = probe.getsockname()[0]
        except OSError:  # no network
            return socket.gethostname()
    return found
