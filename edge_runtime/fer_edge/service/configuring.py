"""The configuration of the service."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from fer_edge import configuration, files
from fer_edge.errors import UsageError
from fer_edge.service import placing
from fer_edge.service.layout import LOGS, STATE, Camera, Layout
from fer_edge.service.steps import Step
from fer_edge.settings import Settings
from fer_edge.settings.keys import keys
from fer_edge.sources import PROTOCOLS
from fer_edge.store import DEFAULT_STORE

_URIS: dict[Camera, str] = {"auto": "auto", "picamera2": "picamera2", "v4l2": "v4l2:/dev/video0"}
_DEFAULT = """\
# Settings of the service: 'fer-edge config init' prints all of them, 'fer-edge config check' tells what is wrong here.
# After a change: systemctl reload {unit}

[source]
uri = "{uri}"

[source.reconnect]
# A camera that is not there at boot may come later.
at_start = true

[model]
store = "{store}"

[output]
to = ["jsonl"]

[output.jsonl]
path = "{logs}/{name}.jsonl"
"""
# Outputs that reach for the network, or listen.
_NETWORKED = ("metrics", "mqtt")
# What ProtectHome= hides.
_HIDDEN = ("/home", "/root", "/run/user")
# Outputs that write files.
_WRITTEN = ("csv", "jsonl", "video")


def chosen(layout: Layout, given: Path | None, camera: Camera | None) -> bytes:
    """Give the text of the configuration that there shall be.

    Args:
        layout: Of the system.
        given: A file of the user's; None to keep what is there, or for a default.
        camera: For the default; None for any.

    Raises:
        FerError: It cannot be read.
        UsageError: The camera is not that of the configuration.
    """
    there = placing.content_of(layout.configuration)
    if given is not None:
        return files.read_bytes(given, "configuration")
    uri = f"v4l2:/dev/{layout.camera}" if layout.camera else _URIS[camera or "auto"]
    if there is None:
        name = layout.camera or "results"
        return _DEFAULT.format(unit=layout.unit, uri=uri, store=DEFAULT_STORE, logs=LOGS, name=name).encode()
    named = checked(there, layout).source.uri
    if camera is not None and named != uri:
        raise UsageError(f"--camera {camera}, but {layout.configuration} has source.uri = {named!r}: change it there")
    return there


def checked(content: bytes, layout: Layout) -> Settings:
    """Read a configuration as the service will.

    Raises:
        ConfigurationError: With everything that is wrong, files that it names and that are not there included.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise configuration.ConfigurationError([f"the configuration is no text in UTF-8: {error}"]) from error
    settings = configuration.effective(configuration.from_text(text, "configuration")).settings
    # Of an image nobody knows yet what it will have.
    findings = [] if layout.is_image else configuration.missing_files(settings)
    if findings:
        raise configuration.ConfigurationError(findings)
    return settings


def needs_network(settings: Settings) -> bool:
    """Tell whether a source, an output or the page needs the network."""
    return (
        settings.source.uri.partition(":")[0] in PROTOCOLS
        or any(name in settings.output.to for name in _NETWORKED)
        or bool(settings.preview.address)
    )


def write(layout: Layout, content: bytes, *, force: bool) -> Step:
    """Look whether the configuration is there; what somebody else wrote is not replaced without `force`."""
    path = layout.configuration
    there = placing.content_of(path)
    if there is not None and there != content and not force:
        raise UsageError(f"{path} is there and differs from what was given: --force replaces it")

    def work() -> None:
        owner = placing.service_user(layout) or placing.ROOT
        group = placing.Owner(0, owner.group)
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, mode=0o750)
            os.chown(path.parent, group.user, group.group)
        if there is not None:
            placing.put(path.with_name(f"{path.name}.before"), there, mode=0o640, owner=group)
        placing.put(path, content, mode=0o640, owner=group)

    return Step("configuration", layout.told(path), None if there == content else work)


def unreachable(settings: Settings) -> list[str]:
    """Tell which files the service will not get at, a line each: it sees no /home, and writes to its own folders."""
    found = []
    values = msgspec.to_builtins(settings)
    for key in keys(Settings):
        value = configuration.value_of(values, key.name)
        if key.is_file and _below(value, _HIDDEN):
            found.append(
                f"{key.name} = {value!r}: /home and /root are hidden from the service; put it in /etc/fer-edge"
            )
    for name in _WRITTEN:
        path = getattr(settings.output, name).path
        # Relative ones are below STATE.
        if name in settings.output.to and path.startswith("/") and not _below(path, (LOGS, STATE)):
            found.append(
                f"output.{name}.path = {path!r}: the service writes below {LOGS} and {STATE}; name one there, or allow "
                "it by a drop-in with ReadWritePaths="
            )
    return found


def _below(path: str, folders: tuple[str, ...]) -> bool:
    return any(Path(path).is_relative_to(folder) for folder in folders)
