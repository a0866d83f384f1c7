"""What is installed into the environment: this fer-edge, from a folder of wheels, a wheel or an index."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from fer_edge.errors import FerError, UsageError
from fer_edge.settings import Settings

# Outputs that need packages of their own, by extras of the same name.
_EXTRAS = ("metrics", "mqtt")
_WHEEL = "fer_edge-*.whl"


@dataclass(frozen=True)
class Packages:
    """What pip is asked for.

    Attributes:
        version: Of fer-edge.
        wheel: Of fer-edge; None for the index's.
        wheels: Folder that has all that is needed, so that no index is asked; None for an index.
        extras: Of fer-edge.
    """

    version: str
    wheel: Path | None
    wheels: Path | None
    extras: tuple[str, ...]

    def digest(self, *pins: str) -> str:
        """Give eight characters that differ where something else would be installed, with `pins` beside it."""
        content = self.wheel.read_bytes() if self.wheel is not None else self.version.encode()
        return hashlib.sha256(content + ",".join((*self.extras, *pins)).encode()).hexdigest()[:8]


def extras(settings: Settings) -> tuple[str, ...]:
    """Name the extras that a configuration needs."""
    page = ("web",) if settings.preview.address else ()
    return (*(name for name in _EXTRAS if name in settings.output.to), *page)


def find(wheels: Path | None, extras: tuple[str, ...]) -> Packages:
    """Find out what to install.

    Args:
        wheels: Folder of wheels; None to install what runs now once more.
        extras: Of fer-edge.

    Raises:
        UsageError: The folder has no wheel of fer-edge, or several.
        FerError: What runs now was installed from a file that is gone, or from a checkout.
    """
    if wheels is not None:
        found = sorted(wheels.glob(_WHEEL)) if wheels.is_dir() else []
        if len(found) != 1:
            told = f"several wheels ({', '.join(path.name for path in found)})" if found else f"no {_WHEEL}"
            raise UsageError(f"--wheels {wheels}: there {'are' if found else 'is'} {told}: give a folder with one")
        return Packages(_version(found[0]), found[0].absolute(), wheels.absolute(), extras)
    try:
        running = importlib.metadata.distribution("fer-edge")
    except importlib.metadata.PackageNotFoundError as error:
        raise FerError("this fer-edge runs from its sources: make wheels of it and give --wheels DIR") from error
    origin = running.read_text("direct_url.json")  # see PEP 610; only where no index was asked
    if origin is None:
        return Packages(running.version, None, None, extras)
    wheel = Path(unquote(urlsplit(json.loads(origin)["url"]).path))
    if not wheel.is_file():
        told = "is a checkout" if wheel.is_dir() else "is gone"
        raise FerError(f"this fer-edge was installed from {wheel}, which {told}: give its wheels by --wheels DIR")
    return Packages(running.version, wheel, None, extras)


def _version(wheel: Path) -> str:
    # NAME-VERSION-...: by the format of wheels neither has a hyphen.
    return wheel.name.split("-")[1]
