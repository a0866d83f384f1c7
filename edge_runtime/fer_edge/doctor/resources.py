"""What there is left: memory, disk."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from fer_edge.board import read_text
from fer_edge.doctor.finding import Finding, failure, ok, warning

# A run takes 84 MB at most for pictures; buffers of a camera come on top.
_NEEDED_MB = 100
_COMFORTABLE_MB = 200
_DISK_FULL_MB = 20
_DISK_LOW_MB = 500


def memory(root: Path) -> list[Finding]:
    """Tell how much memory programs can still take: MemAvailable of proc_meminfo(5)."""
    found = dict(re.findall(r"^(\w+):\s+(\d{1,18}) kB$", read_text(root / "proc/meminfo") or "", re.MULTILINE))
    if "MemAvailable" not in found or "MemTotal" not in found:
        return [ok("memory", "this machine does not tell")]
    free, whole = (int(found[name]) * 1024 // 10**6 for name in ("MemAvailable", "MemTotal"))
    told = f"{free:,} of {whole:,} MB free"
    advice = "stop other programs ('ps aux --sort=-rss | head' names the largest), or start without the desktop"
    if free < _NEEDED_MB:
        return [failure("memory", f"{told}, a run takes some {_NEEDED_MB}", advice)]
    return [warning("memory", told, advice) if free < _COMFORTABLE_MB else ok("memory", told)]


def disk(folders: Sequence[Path]) -> list[Finding]:
    """Tell the room on the file systems of some folders, each file system once."""
    found, seen = [], set()
    for folder in folders:
        try:
            device = folder.stat().st_dev
            room = os.statvfs(folder)
            place = folder.absolute()
        except OSError as error:
            told = f"cannot look at the folder {str(folder)!r}: {error.strerror or error}"
            found.append(warning("disk", told, "go to another folder"))
            continue
        if device not in seen:
            seen.add(device)
            found.append(_room(place, room))
    return found


def _room(folder: Path, room: os.statvfs_result) -> Finding:
    free, whole = (blocks * room.f_frsize // 10**6 for blocks in (room.f_bavail, room.f_blocks))
    told = f"{free:,} of {whole:,} MB free at {folder}"
    advice = "make room: 'sudo apt clean', 'sudo journalctl --vacuum-size=100M', 'du -xh / | sort -h | tail'"
    if room.f_flag & os.ST_RDONLY:
        told += ", which may not be written"
        return warning("disk", told, "'dmesg' tells of a card that fails; an overlay file system is so on purpose")
    # Some file systems have no fixed number of files, and say 0 of 0.
    if room.f_files and not room.f_favail:
        return failure("disk", f"{told}, but no room for another file", "delete what there are very many files of")
    if free < _DISK_FULL_MB:
        return failure("disk", told, advice)
    return warning("disk", told, advice) if free < _DISK_LOW_MB else ok("disk", told)
