"""Where the service has what: the one place of these names beside the units themselves."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# Of a configuration that is not there yet.
Camera = Literal["auto", "picamera2", "v4l2"]

USER = "fer-edge"
# The units themselves, their drop-ins, the user for systemd-sysusers and the rule for udev.
UNITS = Path(__file__).with_name("systemd")

STATE = "/var/lib/fer-edge"
LOGS = "/var/log/fer-edge"


@dataclass(frozen=True)
class Layout:
    """The places of one service within one system.

    Attributes:
        root: Folder of the system: "/", or that of an image.
        camera: Of a service that is bound to its camera, the name of its device as units write it, "video0"; empty for
            the service that uses whichever its configuration names.

    Example:
        >>> Layout(Path("/image"), "video0").configuration
        PosixPath('/image/etc/fer-edge/video0.toml')
    """

    root: Path = Path("/")
    camera: str = ""

    def at(self, path: str) -> Path:
        """Give where a path of the system is, seen from here."""
        return self.root / path.lstrip("/")

    def told(self, path: Path) -> str:
        """Give the path that a file has within the system, for people."""
        return f"/{path.relative_to(self.root)}"

    @property
    def is_image(self) -> bool:
        """Whether the system is another one than that which runs."""
        return self.root != Path("/")

    @property
    def within(self) -> list[str]:
        """What a command begins with that is run within the system."""
        return ["chroot", str(self.root)] if self.is_image else []

    @property
    def unit(self) -> str:
        """Name of the service."""
        return f"fer-edge@{self.camera}.service" if self.camera else "fer-edge.service"

    @property
    def configuration(self) -> Path:
        """Its settings."""
        return self.at(f"/etc/fer-edge/{self.camera or 'config'}.toml")

    @property
    def environment(self) -> Path:
        """The virtual environment: a link to one that is whole."""
        return self.at("/opt/fer-edge")

    @property
    def state(self) -> Path:
        """What the service keeps: models."""
        return self.at(STATE)

    @property
    def logs(self) -> Path:
        """What the service writes."""
        return self.at(LOGS)

    @property
    def units(self) -> Path:
        """Folder of the units."""
        return self.at("/etc/systemd/system")

    @property
    def network(self) -> Path:
        """The drop-in that opens the network."""
        return self.units / f"{self.unit}.d" / "network.conf"


def escape(device: str) -> str:
    r"""Write a device as units do: see systemd.unit(5), "String Escaping for Inclusion in Unit Names".

    Args:
        device: Its path, with or without "/dev/".

    Example:
        >>> escape("/dev/v4l/by-id/usb-cam")
        'v4l-by\\x2did-usb\\x2dcam'
    """
    name = device.removeprefix("/dev/").strip("/").encode()
    escaped = re.sub(rb"[^A-Za-z0-9:_./]|^\.", lambda found: b"\\x%02x" % found[0][0], name)
    return escaped.decode().replace("/", "-")
