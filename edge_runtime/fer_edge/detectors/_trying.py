"""A detector's file of unknown origin, tried by a process of its own before this one reads it.

OpenCV's readers of cascades and networks trust their input: of damaged files one in a hundred ends the process. What
comes with OpenCV, and the network of the OpenCV zoo, is not tried; that would only cost a start.
"""

from __future__ import annotations

import functools
import resource
import signal
import subprocess
import sys
from pathlib import Path

from fer_edge import processes
from fer_edge.errors import FerError

# A Raspberry Pi Zero 2 W needs some seconds, most of them to import OpenCV.
_PATIENCE_S = 60.0
_MEMORY = 1 << 30
_PICTURE = (120, 160)


def check(name: str, path: Path) -> None:
    """Try a file. What merely cannot be read is left to the caller, who tells of it better.

    Args:
        name: Of the detector.
        path: Its file.

    Raises:
        FerError: It crashes or hangs OpenCV.
    """
    told = path.stat()
    _check(name, str(path), told.st_mtime_ns, told.st_size)


@functools.lru_cache
def _check(name: str, path: str, _modified_ns: int, _size: int) -> None:
    # -P: nothing in the current folder stands in for a module.
    command = [sys.executable, "-P", "-m", __name__, name, path]
    try:
        done = processes.run(command, _PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        raise FerError(f"{path} was given up after {_PATIENCE_S:g} s: it is damaged, or made to do harm") from error
    except OSError as error:
        raise FerError(f"cannot run {sys.executable}, to try {path}: {error.strerror or error}") from error
    if done.returncode < 0:
        try:
            how = signal.Signals(-done.returncode).name
        except ValueError:
            how = f"signal {-done.returncode}"
        raise FerError(f"{path} makes OpenCV crash ({how}): it is damaged, or made to do harm; take another file")


def main() -> None:
    """Open the detector and search a made face, within limits of time and memory."""
    from fer_edge.detectors import REGISTRY
    from fer_edge.quiet import silence_opencv
    from fer_edge.self_test import face
    from fer_edge.settings.detectors import DetectorSettings

    name, place = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (int(_PATIENCE_S), int(_PATIENCE_S)))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    silence_opencv()
    REGISTRY.load(name).read(Path(place), DetectorSettings()).detect(face(1, *_PICTURE))


if __name__ == "__main__":
    main()
