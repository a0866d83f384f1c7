"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_edge.errors import FerError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is renamed to `path`, otherwise removed.

    A reader sees the old file or the new one, never a part. The content is flushed to the disk before the rename.

    Raises:
        FerError: The folder cannot be made or written.
    """
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        raise FerError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):  # as where its folder could not be made
            temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or nothing. Raises `FerError` where that is impossible."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_bytes(path: Path, what: str) -> bytes:
    """Read a file, saying in one line why not.

    Args:
        path: The file.
        what: What the user takes it for, such as "model" or "image".

    Raises:
        FerError: It is missing, a folder, unreadable or empty.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FerError(f"cannot read {what} {path}: {error.strerror or error}") from error
    if not content:
        raise FerError(f"{what} {path} is empty")
    return content
