"""A small disk that can be filled up."""

from __future__ import annotations

import contextlib
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

_BYTES = 4 << 20
# Where no disk can be had of one's own, files may not grow beyond this, bytes.
_LIMIT = 64


class Disk:
    """A file system of 4 MiB in memory where this user may mount one, else a folder and the limit of file sizes.

    Attributes:
        folder: Where it is.
        own: Whether it is a file system of its own.
        full: Whether it is full now.
    """

    def __enter__(self) -> Self:
        """Make it."""
        self.folder = Path(tempfile.mkdtemp(prefix="soak-"))
        self.full, self._zeros = False, bytes(_BYTES)
        try:
            mounted = subprocess.run(
                ["mount", "-t", "tmpfs", "-o", f"size={_BYTES}", "soak", str(self.folder)],
                check=False,
                capture_output=True,
            )
            self.own = mounted.returncode == 0
        except OSError:  # no such command
            self.own = False
        self._limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing of it."""
        self.free()
        if self.own:
            subprocess.run(["umount", str(self.folder)], check=True)
        shutil.rmtree(self.folder)

    def __str__(self) -> str:
        """Tell what it is."""
        return "a full file system (4 MiB, tmpfs)" if self.own else "RLIMIT_FSIZE"

    def fill(self) -> None:
        """Leave no room."""
        self.full = True
        if not self.own:
            resource.setrlimit(resource.RLIMIT_FSIZE, (_LIMIT, self._limits[1]))
            return
        # Unbuffered, so that the file has all that has room.
        with contextlib.suppress(OSError), (self.folder / "ballast").open("wb", buffering=0) as ballast:  # it is full
            while ballast.write(self._zeros):
                pass

    def free(self) -> None:
        """Make room again."""
        self.full = False
        if self.own:
            (self.folder / "ballast").unlink(missing_ok=True)
        else:
            resource.setrlimit(resource.RLIMIT_FSIZE, self._limits)
