from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from fer_edge.command import unwinding_on_sigterm
from fer_edge.quiet import native_stderr_kept


def test_a_signal_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, signal, sys, click\n"
        "from fer_edge import files\n"
        "from fer_edge.command import Command, unwinding_on_sigterm\n"
        "@click.command(cls=Command)\n"
        "def main():\n"
        "    with unwinding_on_sigterm(), files.replacing(pathlib.Path('model.tflite')) as part:\n"
        "        part.write_bytes(b'half')\n"
        "        print(sorted(path.suffix for path in pathlib.Path().iterdir()), flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        part.write_bytes(b'half and half')\n"
        "main()\n"
    )
    path = tmp_path / "model.tflite"
    path.write_bytes(b"whole")
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (143, "error: terminated\n")
    assert done.stdout == "['.tflite', '.tflite']\n"
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(path.name, b"whole")]


def test_who_came_before_gets_sigterm_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with unwinding_on_sigterm():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_libraries_narrate_is_kept_for_who_asks() -> None:
    with native_stderr_kept() as narrated:
        assert narrated() == ""
        os.write(2, "first: é\n".encode())
        assert narrated() == "first: é\n"
        os.write(2, b"\xff")
        assert narrated() == "first: é\n\ufffd"


def test_stderr_comes_back_after_it() -> None:
    code = (
        "import os\n"
        "from fer_edge.quiet import native_stderr_kept\n"
        "try:\n"
        "    with native_stderr_kept():\n"
        "        os.write(2, b'kept')\n"
        "        raise ValueError\n"
        "except ValueError:\n"
        "    os.write(2, b'seen')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "seen"
