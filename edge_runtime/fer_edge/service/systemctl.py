"""What is asked of systemd."""

from __future__ import annotations

from pathlib import Path

from fer_edge.errors import FerError
from fer_edge.service.layout import Layout
from fer_edge.service.steps import attempt, call

RUNNING = Path("/run/systemd/system")


def require(layout: Layout) -> None:
    """Make sure that there is a systemd to talk to, where the system is the one that runs.

    Raises:
        FerError: There is none.
    """
    # By this, sd_booted(3) tells.
    if not layout.is_image and not RUNNING.is_dir():
        raise FerError("systemd does not run here: start this where it does, or give --root DIR to prepare an image")


def systemctl(layout: Layout, *arguments: str) -> str:
    """Run it on a system, and give what it prints. Raises `FerError` where it fails."""
    return call(["systemctl", *_root(layout), *arguments])


def is_enabled(layout: Layout) -> bool:
    """Tell whether the service starts at boot."""
    return attempt(["systemctl", *_root(layout), "is-enabled", layout.unit]).stdout.strip() == b"enabled"


def is_active(layout: Layout) -> bool:
    """Tell whether the service runs or is starting."""
    state = attempt(["systemctl", "is-active", layout.unit]).stdout.strip()
    return state in (b"active", b"activating", b"reloading")


def _root(layout: Layout) -> list[str]:
    return [f"--root={layout.root}"] if layout.is_image else []
