"""`fer-edge service`: the service that runs from boot, put in place, looked at and taken away."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from fer_edge.command import Group, writing_stdout
from fer_edge.errors import FerError, UsageError
from fer_edge.service.layout import Camera, Layout, escape

if TYPE_CHECKING:
    from fer_edge.service.status import Status


@click.group(cls=Group)
def service() -> None:
    """Run fer-edge from boot, as a service of systemd."""


_root = click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=Path("/"),
    help="Folder of a system that does not run, such as an image that is mounted; nothing is started there.",
)
_device = click.option(
    "--device",
    default="",
    metavar="DEVICE",
    help="The service of one USB camera, such as video0 or /dev/v4l/by-id/...: it starts when that is plugged in.",
)
_dry_run = click.option("--dry-run", is_flag=True, help="Tell what would be done, and change nothing.")


@service.command()
@click.option(
    "--config",
    "configuration",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Settings in TOML to copy to /etc/fer-edge.  [default: what is there, else JSON lines to /var/log/fer-edge]",
)
@click.option(
    "--camera", type=click.Choice(get_args(Camera)), help="Of a configuration that is not there yet.  [default: auto]"
)
@click.option("--model", type=click.Path(path_type=Path), help="A .tflite to put into the service's store.")
@click.option(
    "--wheels",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Folder of the wheels of fer-edge and all that it needs, to install without network.",
)
@click.option("--force", is_flag=True, help="Replace a configuration that differs; the old one becomes NAME.before.")
@_device
@_root
@_dry_run
def install(root: Path, device: str, dry_run: bool, **wishes: Any) -> None:
    """Put the service in place and start it: user, environment, configuration, model, units.

    A line a step: done, or unchanged where nothing was to be done. A step that fails leaves what was there.
    """
    from fer_edge.service.installing import Wishes
    from fer_edge.service.installing import install as put_in_place

    if wishes["configuration"] is not None and wishes["camera"] is not None:
        raise UsageError("--config and --camera both name the camera: give one, and set source.uri in the file")
    layout = _system(root, device, dry_run=dry_run)
    with writing_stdout():
        put_in_place(layout, Wishes(**wishes), click.echo, dry_run=dry_run)


@service.command()
@click.option("--purge", is_flag=True, help="Remove configuration, models, results and the user too.")
@_root
@_dry_run
def uninstall(purge: bool, root: Path, dry_run: bool) -> None:
    """Stop the service and take it away; without --purge, what is in /etc, /var/lib and /var/log/fer-edge stays."""
    from fer_edge.service.installing import uninstall as take_away

    layout = _system(root, "", dry_run=dry_run)
    with writing_stdout():
        take_away(layout, click.echo, purge=purge, dry_run=dry_run)


def _system(root: Path, device: str, *, dry_run: bool) -> Layout:
    from fer_edge.service import systemctl

    if not root.is_dir():
        raise UsageError(f"--root {root}: there is no such folder")
    layout = Layout(root.resolve(), escape(device))
    systemctl.require(layout)
    if os.geteuid() != 0 and not dry_run:
        raise FerError("this changes the system: start it as root, such as by sudo (--dry-run tells what it would do)")
    # What root creates, others have to read and run.
    os.umask(0o022)
    return layout


@service.command()
@_device
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of lines.")
def status(device: str, as_json: bool) -> None:
    """Tell how the service is: state, uptime, restarts, frames a second, last error, exposure.

    The journal, where errors are, is for root and the groups adm and systemd-journal.
    """
    import msgspec

    from fer_edge.service import systemctl
    from fer_edge.service.status import examine

    layout = Layout(camera=escape(device))
    systemctl.require(layout)
    found = examine(layout)
    with writing_stdout():
        if as_json:
            click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
            return
        for name, told in _lines(found):
            click.echo(f"{name:<10}  {told}")


def _lines(found: Status) -> Iterator[tuple[str, str]]:
    ended = "" if found.result == "success" else f", ended last by {found.result}"
    yield "state", f"{found.state}{ended}"
    yield "uptime", _duration(found.uptime_s)
    yield "restarts", str(found.restarts)
    yield "rate", "not told" if found.frames_per_second is None else f"{found.frames_per_second:g} frames/s"
    yield "status", found.status or "not told"
    error = found.last_error
    yield "last error", "none in the journal" if error is None else f"{error.at:%Y-%m-%d %H:%M:%S} UTC  {error.text}"
    yield "exposure", "systemd-analyze is not installed" if found.exposure is None else f"{found.exposure:g} of 10"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "not running"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    # The two largest tell enough.
    first = next((index for index, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2])
