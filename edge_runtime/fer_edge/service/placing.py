"""Files of the system: whole or not there, with owner and mode."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fer_edge import files
from fer_edge.errors import FerError
from fer_edge.service.layout import USER, Layout


@dataclass(frozen=True)
class Owner:
    """Who a file belongs to, by number."""

    user: int = 0
    group: int = 0


ROOT = Owner()


def service_user(layout: Layout) -> Owner | None:
    """Look the user of the service up in a system; None where it is not there."""
    user = _entry(layout.at("/etc/passwd"), USER)
    group = _entry(layout.at("/etc/group"), USER)
    return Owner(int(user[2]), int(group[2])) if user is not None and group is not None else None


def members(layout: Layout, group: str) -> list[str]:
    """Name the members of a group of a system."""
    entry = _entry(layout.at("/etc/group"), group)
    return entry[3].split(",") if entry is not None else []


def put(path: Path, content: bytes, *, mode: int = 0o644, owner: Owner = ROOT) -> None:
    """Write a whole file, which at no time anybody else may read. Raises `FerError`."""
    with files.replacing(path) as temporary:
        temporary.touch(0o600)
        temporary.write_bytes(content)
        os.chown(temporary, owner.user, owner.group)
        temporary.chmod(mode)


def link(path: Path, target: str) -> None:
    """Let a symbolic link point elsewhere, at once."""
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.part")
    temporary.symlink_to(target)
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def content_of(path: Path) -> bytes | None:
    """Read a file; None where there is none. Raises `FerError`."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FerError(f"cannot read {path}: {error.strerror or error}") from error


def removing(paths: list[Path]) -> Callable[[], None] | None:
    """Give what removes those of some files that are there; None where none is."""
    there = [path for path in paths if path.is_symlink() or path.exists()]

    def remove() -> None:
        for path in there:
            path.unlink()

    return remove if there else None


def _entry(path: Path, name: str) -> list[str] | None:
    lines = (content_of(path) or b"").decode(errors="replace").splitlines()
    return next((line.split(":") for line in lines if line.startswith(f"{name}:")), None)
