"""The user of the service."""

from __future__ import annotations

from fer_edge.service import placing
from fer_edge.service.layout import UNITS, USER, Layout
from fer_edge.service.steps import Step, call


def create(layout: Layout) -> Step:
    """Look whether there is the user, in the group of cameras."""
    path = layout.at("/etc/sysusers.d/fer-edge.conf")
    content = (UNITS / "fer-edge-user.conf").read_bytes()
    there = placing.service_user(layout) is not None and USER in placing.members(layout, "video")

    def work() -> None:
        placing.put(path, content)
        call(["systemd-sysusers", f"--root={layout.root}", path.name])

    complete = there and placing.content_of(path) == content
    return Step("user", f"{USER}, in the group video", None if complete else work)


def remove(layout: Layout) -> Step:
    """Look whether there is the user, to remove it."""
    path = layout.at("/etc/sysusers.d/fer-edge.conf")
    unlink = placing.removing([path])
    user = placing.service_user(layout)

    def work() -> None:
        if unlink is not None:
            unlink()
        if user is not None:
            call(["userdel", *(["--prefix", str(layout.root)] if layout.is_image else []), USER])

    return Step("user", USER, work if unlink is not None or user is not None else None)
