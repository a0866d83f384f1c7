"""Lines that are whole: to a stream, or to a file that rotates and comes back after a failure."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol, Self

from fer_edge.errors import FerError
from fer_edge.settings.outputs import CsvSettings, JsonlSettings
from fer_edge.sinks._retrying import Retrying


class Lines(Protocol):
    """Takes lines."""

    def __enter__(self) -> Self:
        """Open it. Raises `FerError`."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close it."""
        ...

    def write(self, lines: bytes) -> None:
        """Write whole lines by one call of the system, so that a reader has them when this returns."""
        ...


class Stream:
    """Writes to a stream that somebody else opens and closes, around its buffer."""

    def __init__(self, stream: BinaryIO, head: bytes = b"") -> None:
        """Take a stream, and the line that comes first."""
        # A buffer may write a line in parts; but with it goes what it surrounds.
        self._stream, self._raw = stream, getattr(stream, "raw", stream)
        self._head = head

    def __enter__(self) -> Self:
        """Write the head."""
        self.write(self._head)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave it open."""

    def write(self, lines: bytes) -> None:
        """Write lines. Raises `OSError`."""
        rest = memoryview(lines)
        while rest:
            written = self._raw.write(rest)
            if written is None:
                raise BlockingIOError(errno.EAGAIN, "its reader is too slow, and it does not wait")
            rest = rest[written:]


class LineFile:
    """Appends to a file that somebody may move, remove or fill up.

    A line is there as a whole or, where the process was killed or the power cut while it was written, as a torn end of
    the file; the next process ends such a line, so that its own first begins a new one. A file that was moved (by
    logrotate, say) or removed is made anew.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: float,
        keep: int,
        sync_s: float,
        head: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open nothing yet.

        Args:
            path: The file.
            max_bytes: Its largest size; 0 for none. A single line may be longer.
            keep: How many full files are kept: PATH.1 is the newest.
            sync_s: So often lines are forced to the disk, seconds.
            head: First line of each file; a file that begins otherwise is put away as if it was full.
            clock: Gives seconds of a clock that does not jump.
        """
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._sync_s = sync_s
        self._head = head
        self._clock = clock
        self._file: int | None = None
        self._identity = (0, 0)
        self._regular = True
        self._synced_s = clock()
        self._retrying = Retrying(clock)

    def __enter__(self) -> Self:
        """Open the file.

        Raises:
            FerError: That is impossible.
        """
        try:
            self._open()
        except OSError as error:
            self._close()
            raise FerError(f"cannot write {self._path}: {error.strerror or error}") from error
        return self

    def __exit__(self, *_: object) -> None:
        """Force all to the disk and close the file."""
        if self._file is not None and self._regular:
            with contextlib.suppress(OSError):  # nobody can put it right any more
                os.fsync(self._file)
        self._close()

    def write(self, lines: bytes) -> None:
        """Append whole lines by one call.

        Raises:
            LostError: That is impossible for now; see `Retrying`.
        """
        self._retrying.check()
        now = self._clock()
        try:
            self._append(lines)
            if self._regular and now - self._synced_s >= self._sync_s:
                self._synced_s = now
                os.fsync(self._opened())
        except OSError as error:
            self._close()
            raise self._retrying.failed(f"cannot write {self._path}: {error.strerror or error}") from error
        self._retrying.worked()

    def _append(self, lines: bytes) -> None:
        size = self._size()
        if size is None:
            size = self._open()
        if self._regular and self._max_bytes and len(self._head) < size and size + len(lines) > self._max_bytes:
            self._put_away()
            size = self._open()
        self._write_whole(lines, size)

    def _size(self) -> int | None:
        """Give the size of the file, bytes; None where it is not open, or not what is at the path any more."""
        if self._file is None:
            return None
        try:
            there = self._path.stat()
        except OSError:
            return None
        return there.st_size if (there.st_dev, there.st_ino) == self._identity else None

    def _open(self) -> int:
        """Open the file, end a torn line, write the head; give the size, bytes."""
        self._close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        told = os.fstat(self._file)
        self._identity, self._regular = (told.st_dev, told.st_ino), stat.S_ISREG(told.st_mode)
        size = told.st_size
        if self._regular and size and os.pread(self._file, 1, size - 1) != b"\n":
            size += self._write_whole(b"\n", size)
        if self._regular and size and os.pread(self._file, len(self._head), 0) != self._head:
            self._put_away()
            return self._open()
        if self._head and not size:
            size += self._write_whole(self._head, size)
        return size

    def _write_whole(self, lines: bytes, size: int) -> int:
        """Append lines to a file of that size, or nothing of them; give their length."""
        written = 0
        try:
            while written < len(lines):
                written += os.write(self._opened(), lines[written:])
        except OSError:
            if written and self._regular:
                os.ftruncate(self._opened(), size)
            raise
        return written

    def _put_away(self) -> None:
        """Make room for a new file: PATH becomes PATH.1, PATH.1 becomes PATH.2, and the last is gone."""
        self._close()
        if self._keep == 0:
            self._path.unlink(missing_ok=True)
            return
        kept = [Path(f"{self._path}.{number}") for number in range(1, self._keep + 1)]
        # A kill between two renames leaves a gap; it is filled.
        gap = next((place for place, path in enumerate(kept) if not path.exists()), len(kept) - 1)
        for place in range(gap, 0, -1):
            kept[place - 1].replace(kept[place])
        self._path.replace(kept[0])

    def _opened(self) -> int:
        assert self._file is not None
        return self._file

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # the file is given up either way
                os.close(self._file)
            self._file = None


class LineSink:
    """What the outputs share that write a line to a file or stdout for each result or event."""

    pictures: ClassVar[bool] = False
    queued: ClassVar[bool] = False
    interval_s: ClassVar[float] = 0.0

    def __init__(self, lines: Lines) -> None:
        """Write to a stream or file of lines."""
        self._lines = lines

    def __enter__(self) -> Self:
        """Open it. Raises `FerError`."""
        self._lines.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._lines.__exit__()


def open_lines(settings: JsonlSettings | CsvSettings, head: bytes = b"") -> Lines:
    """Make what an output of lines writes to: the file of its settings, or stdout."""
    if not settings.path:
        return Stream(sys.stdout.buffer, head)
    return LineFile(
        Path(settings.path),
        max_bytes=1e6 * settings.max_mb,
        keep=settings.keep,
        sync_s=settings.sync_s,
        head=head,
    )
