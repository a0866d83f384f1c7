"""Sources of frames by name, one module each.

A module gives `create(place: str, stop: threading.Event, settings: SourceSettings) -> Source`, where `place` is what
follows the name: in `v4l2:0` the module is `v4l2` and the place `0`. What a user writes without a name is looked at:
see `resolve`.
"""

from __future__ import annotations

import glob
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self

from fer_edge import files, images
from fer_edge.errors import UsageError
from fer_edge.registry import Registry
from fer_edge.settings import SourceSettings
from fer_edge.types import Frame

REGISTRY = Registry(__name__, "source")
PROTOCOLS = ("http", "https", "rtsp", "rtsps")


class Source(Protocol):
    """Yields frames, once; as a context manager it opens and releases what they come from.

    Attributes:
        name: For people and for the output.
        live: Whether frames come by themselves and are overwritten where nobody takes them; else the source waits.
        skipped: What could not be decoded so far, each with the reason.
    """

    name: str
    live: bool
    skipped: list[str]

    def __enter__(self) -> Self:
        """Open the source. Raises `SourceError`."""
        ...

    def __exit__(self, *_: object) -> None:
        """Release the source."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames. Raises `SourceError` where the source fails."""
        ...


def resolve(spec: str) -> tuple[str, str]:
    """Find out what a user means.

    Args:
        spec: "demo", "picamera2", "auto", "NAME:PLACE", a camera's number or device file, an address (rtsp, http), or
            the path of an image, of a folder or a pattern of images, or of a video.

    Returns:
        Name of the source module, and the place.

    Raises:
        UsageError: There is no such thing.

    Example:
        >>> resolve("0")
        ('v4l2', '0')
    """
    name, colon, place = spec.partition(":")
    if name in REGISTRY.names() and (colon or name in ("auto", "demo", "picamera2")):
        return name, place
    if spec.isdecimal() or spec.startswith("/dev/"):
        return "v4l2", spec
    if name in PROTOCOLS and place.startswith("//"):
        return "stream", spec
    path = Path(spec)
    kind = files.kind(path) if spec else "nothing"
    if kind == "folder":
        return "folder", spec
    if kind == "file":
        return ("image" if path.suffix.lower() in images.SUFFIXES else "video"), spec
    if glob.has_magic(spec):
        return "folder", spec
    raise UsageError(
        f"no source {spec!r}: give demo, auto, picamera2, a camera's number, an address such as rtsp://HOST/PATH, or "
        "the path of an image, a folder or a video"
    )


def open_source(spec: str, stop: threading.Event | None = None, settings: SourceSettings | None = None) -> Source:
    """Make a source from what a user writes.

    Args:
        spec: See `resolve`.
        stop: Ends the waiting for a live source's next frame, and with it the frames.
        settings: Of cameras; its `uri` is not looked at. None for the defaults.

    Raises:
        UsageError: There is no such source.
    """
    name, place = resolve(spec)
    source: Source = REGISTRY.load(name).create(place, stop or threading.Event(), settings or SourceSettings())
    return source
