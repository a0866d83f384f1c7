"""What this device is: program, board, operating system, Python."""

from __future__ import annotations

import platform
import re
import sys
from importlib import metadata
from pathlib import Path

from fer_edge.board import Board, read_text
from fer_edge.doctor.finding import Finding, failure, ok, warning

_BITS = 64 if sys.maxsize > 2**32 else 32


def program() -> list[Finding]:
    """Tell the version of fer-edge."""
    try:
        return [ok("fer-edge", metadata.version("fer-edge"))]
    except metadata.PackageNotFoundError:
        return [ok("fer-edge", "not installed as a package: run from its sources")]


def board(board: Board) -> list[Finding]:
    """Name the board, or the processor where there is no name of a board."""
    processors = board.online()
    told = [
        board.model() or "no Raspberry Pi",
        board.processor() or "processor not told",
        f"{processors} processor{'s' if processors != 1 else ''}" if processors else "",
    ]
    return [ok("board", ", ".join(filter(None, told)))]


def system(
    root: Path, *, machine: str | None = None, bits: int = _BITS, python: tuple[int, int] = sys.version_info[:2]
) -> list[Finding]:
    """Name the operating system, by os-release(5), and the kernel.

    Args:
        root: Folder that holds `etc`.
        machine: As `uname -m` names it; None for this one's.
        bits: Of this Python's addresses.
        python: Its version.
    """
    machine = machine or platform.machine()
    name = f"{_release(root) or 'unknown system'}, Linux {platform.release()} {machine}, {bits}-bit programs"
    if machine.startswith("armv6"):
        return [failure("system", name, "no TFLite interpreter is made for ARMv6: use a Pi Zero 2 W, 3 or newer")]
    if bits == 32 and python >= (3, 12):
        advice = "no TFLite interpreter is made for 32-bit Python 3.12 or newer: install the 64-bit Raspberry Pi OS"
        return [failure("system", name, advice)]
    if bits == 32 and machine == "aarch64":
        # Packages that are chosen by `uname -m` are then the wrong ones.
        advice = (
            "pip takes it for 64-bit by its kernel, and misses packages: install the 64-bit Raspberry Pi OS, or set "
            "arm_64bit=0 in /boot/firmware/config.txt (not on a Pi 5) and restart"
        )
        return [warning("system", name, advice)]
    return [ok("system", name)]


def python() -> list[Finding]:
    """Tell Python's version, and whether its environment shows the system's packages, as picamera2 needs it."""
    if sys.prefix == sys.base_prefix:
        kind = "no virtual environment"
    else:
        configuration = read_text(Path(sys.prefix) / "pyvenv.cfg") or ""
        shown = re.search(r"^include-system-site-packages\s*=\s*true", configuration, re.IGNORECASE | re.MULTILINE)
        kind = f"virtual environment with{'' if shown else 'out'} the system's packages"
    return [ok("python", f"{platform.python_version()}, {sys.executable}, {kind}")]


def _release(root: Path) -> str | None:
    for place in ("etc/os-release", "usr/lib/os-release"):
        name = re.search(r'^PRETTY_NAME=(["\']?)(.+)\1$', read_text(root / place) or "", re.MULTILINE)
        if name is not None:
            return name[2]
    return None
