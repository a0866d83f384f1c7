"""Files that a power cut leaves old or new, in a folder of which one process at a time is the owner.

What is flushed to the disk, in this order: the new content under another name, the rename, which is the moment of the
change, by the folder. All of it raises `OSError`.

The folder may belong to the service's user while root writes to it: nothing here follows a link in it, and what root
makes belongs to whom the folder belongs.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from fer_edge.digest import sha256

# Others hold the folder for as long as a slow card takes to write a model's name.
PATIENCE_S = 10.0
_POLL_S = 0.02
_CHUNK = 1 << 20


@contextlib.contextmanager
def locked(folder: Path, patience_s: float) -> Iterator[None]:
    """Keep other processes and threads out; the kernel lets them in when this process ends, however it ends.

    Raises:
        OSError: There is no such folder, it may not be read, or somebody holds it for longer than `patience_s` seconds.
    """
    # The folder itself: a file for it would have to be written.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + patience_s
        while not lock(descriptor):
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, f"another process has held it for {patience_s:g} s")
            time.sleep(_POLL_S)
        yield
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> bool:
    """Lock a file until it is closed, unless somebody has: then give False."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def create(path: Path) -> BinaryIO:
    """Make a new file that all may read and the folder's owner may write."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb")
    try:
        adopt(file.fileno(), path.parent)
        os.fchmod(file.fileno(), 0o644)
    except BaseException:
        file.close()
        raise
    return file


def adopt(descriptor: int, parent: Path) -> None:
    """Give what root has made to the owner of the folder above it."""
    if not os.geteuid():
        owner = parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def part(path: Path) -> Path:
    """Give where `write` writes first; what stands there while somebody else holds the folder was left by a kill."""
    return path.with_name(f".{path.name}.part")


def write(path: Path, content: bytes) -> None:
    """Replace a small file; only for who holds the folder."""
    new = part(path)
    new.unlink(missing_ok=True)
    try:
        with create(new) as file:
            file.write(content)
            sync(file)
        new.replace(path)
    finally:
        with contextlib.suppress(OSError):  # the error that led here is the one to tell
            new.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync(file: BinaryIO) -> None:
    """Wait until what was written to a file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_file(path: Path, most: int, *, follow: bool = False) -> BinaryIO:
    """Open a file for reading, if it is one.

    Args:
        path: The file.
        most: Bytes that it may have.
        follow: Whether it may be a link.
    """
    # A pipe would be waited for.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    file = os.fdopen(os.open(path, flags), "rb")
    state = os.fstat(file.fileno())
    if stat.S_ISREG(state.st_mode) and state.st_size <= most:
        return file
    file.close()
    if stat.S_ISREG(state.st_mode):
        raise OSError(errno.EFBIG, f"it has {state.st_size:,} bytes, at most {most:,} are read")
    raise OSError(errno.EINVAL, "it is no file")


def digest(path: Path, most: int) -> str:
    """Give the SHA-256 of a file, 64 hexadecimal digits."""
    seen = sha256()
    with open_file(path, most) as file:
        while chunk := file.read(_CHUNK):
            seen.update(chunk)
    return seen.hexdigest()


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, that all may read."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):  # of another process, just now
        folder.mkdir(mode=0o755)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        adopt(descriptor, folder.parent)
        os.fchmod(descriptor, 0o755)  # nosec B103 # the service reads what root installs
    finally:
        os.close(descriptor)
    sync_folder(folder.parent)
