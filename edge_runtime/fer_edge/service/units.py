"""The units of systemd, their drop-ins and the rule for udev."""

from __future__ import annotations

import shutil
from pathlib import Path

from fer_edge.service import placing
from fer_edge.service.layout import UNITS, Layout
from fer_edge.service.steps import Step, call
from fer_edge.service.systemctl import is_enabled, systemctl

_NETWORK = "fer-edge-network.conf"


def files(layout: Layout) -> dict[Path, str]:
    """Name the files that every service has: where, and which of `UNITS`."""
    return {
        layout.units / "fer-edge.service": "fer-edge.service",
        layout.units / "fer-edge@.service": "fer-edge@.service",
        layout.at("/etc/udev/rules.d/70-fer-edge.rules"): "fer-edge.rules",
    }


def write(layout: Layout) -> Step:
    """Look whether the units are there as they shall be."""
    due = {path: (UNITS / name).read_bytes() for path, name in files(layout).items()}
    due = {path: content for path, content in due.items() if placing.content_of(path) != content}

    def work() -> None:
        for path, content in due.items():
            placing.put(path, content)
        _reload(layout)

    told = ", ".join(layout.told(path) for path in due or files(layout))
    return Step("units", told, work if due else None)


def network(layout: Layout, *, needed: bool) -> Step:
    """Look whether the network is as open as it shall be."""
    path, content = layout.network, (UNITS / _NETWORK).read_bytes()
    if needed:
        complete = placing.content_of(path) == content
        return Step(
            "network", f"open, by {layout.told(path)}", None if complete else lambda: placing.put(path, content)
        )
    return Step("network", "none", placing.removing([path]))


def enable(layout: Layout) -> Step:
    """Look whether the service starts at boot, or with its camera."""

    def work() -> None:
        systemctl(layout, "--quiet", "enable", layout.unit)

    when = "with its camera" if layout.camera else "at boot"
    return Step("enable", f"{layout.unit} starts {when}", None if is_enabled(layout) else work)


def disable(layout: Layout) -> Step:
    """Look whether the service runs or would start, to stop it."""
    units = known(layout)

    def work() -> None:
        if not layout.is_image:
            systemctl(layout, "stop", *units)
        systemctl(layout, "--quiet", "disable", *units)

    return Step("disable", ", ".join(units) or layout.unit, work if units else None)


def remove(layout: Layout) -> Step:
    """Look for the files of units, to remove them; drop-ins of others stay."""
    places = [*files(layout), *layout.units.glob("fer-edge*.service.d/network.conf")]
    unlink = placing.removing(places)

    def work() -> None:
        if unlink is not None:
            unlink()
        for folder in layout.units.glob("fer-edge*.service.d"):
            if not any(folder.iterdir()):
                folder.rmdir()
        _reload(layout)

    return Step("units", f"remove those in {layout.told(layout.units)}", work if unlink is not None else None)


def known(layout: Layout) -> list[str]:
    """Name the services that may run: the one, and those of cameras that are enabled."""
    if not (layout.units / "fer-edge.service").exists():
        return []
    enabled = {path.name for path in layout.units.glob("*.wants/fer-edge@*.service")}
    return ["fer-edge.service", *sorted(enabled)]


def _reload(layout: Layout) -> None:
    """Let systemd and udev see what has changed."""
    if layout.is_image:
        return
    systemctl(layout, "daemon-reload")
    if shutil.which("udevadm"):  # a container has none, and no cameras that come and go
        call(["udevadm", "control", "--reload"])
        call(["udevadm", "trigger", "--subsystem-match=video4linux", "--action=change"])
