"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from fer_edge.errors import FerError, UsageError

# Bytes of a file that is read at once, unless its reader knows better.
LARGEST = 64 << 20


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it is renamed to `path`, otherwise removed.

    A reader sees the old file or the new one, never a part. The content is flushed to the disk before the rename.

    Raises:
        FerError: The folder cannot be made or written.
    """
    path = path.absolute()  # "." has no name of its own
    temporary = path.with_name(f".{path.stem}.{os.urandom(4).hex()}.part{path.suffix}")
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


def check_writable(path: Path) -> None:
    """Tell before long work that its result could not be written.

    Raises:
        FerError: The file or its folder cannot be written, as far as permissions tell.
    """
    nearest = path.absolute()
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if nearest == path.absolute() and path.is_dir():
        raise FerError(f"cannot write {path}: it is a folder")
    if nearest != path.absolute() and not nearest.is_dir():
        raise FerError(f"cannot write {path}: {nearest} is not a folder")
    folder = nearest if nearest.is_dir() else nearest.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FerError(f"cannot write {path}: no permission to write in {folder}")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file or nothing. Raises `FerError` where that is impossible."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def read_bytes(path: Path, what: str, *, largest: int = LARGEST) -> bytes:
    """Read a file, saying in one line why not.

    Args:
        path: The file.
        what: What the user takes it for, such as "model" or "image".
        largest: Bytes that it may have; no more are read of what has no end, such as a device.

    Raises:
        FerError: It is missing, a folder, unreadable, empty or too large.
    """
    try:
        # A pipe that nobody writes to is empty, and not waited for. (`Path.open` takes no opener.)
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            os.set_blocking(file.fileno(), True)
            told = os.fstat(file.fileno())
            # What is no file, such as a pipe, tells no size; a whole one is read fastest where no limit is named.
            limit = -1 if stat.S_ISREG(told.st_mode) else largest + 1
            content = file.read(limit) if told.st_size <= largest else b""
            if max(told.st_size, len(content)) > largest:
                raise FerError(f"{what} {path} is larger than {largest:,} bytes, which none of its kind is")
    except OSError as error:
        raise FerError(f"cannot read {what} {path}: {error.strerror or error}") from error
    except ValueError as error:  # a name that no file can have
        raise FerError(f"cannot read {what} {str(path)!r}: {error}") from error
    if not content:
        raise FerError(f"{what} {path} is empty")
    return content


def kind(path: Path) -> Literal["file", "folder", "nothing"]:
    """Find out what is at a path that a user gave; a device file is a file.

    Raises:
        UsageError: That cannot be found out, as below a folder that may not be searched.
    """
    try:
        if path.is_dir():
            return "folder"
        return "file" if path.exists() else "nothing"
    except OSError as error:
        raise UsageError(f"cannot look at {str(path)[:80]}: {error.strerror or error}") from error
