"""Checks in a process of their own: what crashes or hangs there is told, and ends nothing else.

A wheel that was built for a newer processor ends the process that imports it ("Illegal instruction"), on old Raspberry
Pis a common mishap; a camera that hangs in its driver keeps the process that asks for it.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from typing import Any

import msgspec

from fer_edge import processes
from fer_edge.doctor.finding import Finding, failure

# A Raspberry Pi Zero 2 W needs some seconds, an emulated one some tens.
_PATIENCE_S = 120.0


def apart(check: str, module: str, *, patience_s: float = _PATIENCE_S, **arguments: Any) -> list[Finding]:
    """Run `fer_edge.doctor.MODULE.examine(**arguments)` by another process of this Python.

    Args:
        check: What a crash is told of.
        module: A module of this package.
        patience_s: Seconds after which it is given up.
        arguments: Whatever JSON can say.
    """
    # -P: nothing in the current folder stands in for a module.
    command = [sys.executable, "-P", "-m", "fer_edge.doctor", check, module, msgspec.json.encode(arguments).decode()]
    try:
        done = processes.run(command, patience_s)
    except subprocess.TimeoutExpired:
        told = f"no answer within {patience_s:g} s"
        return [failure(check, told, "restart the device; if it hangs again, look at 'dmesg' for the reason")]
    except OSError as error:
        return [failure(check, f"cannot run {sys.executable}: {error.strerror or error}", "install Python again")]
    found = [msgspec.json.decode(line, type=Finding) for line in done.stdout.splitlines()]
    return [*found, failure(check, _crash(done), _advice(done.returncode))] if done.returncode else found


def _crash(done: subprocess.CompletedProcess[bytes]) -> str:
    """Tell how a process ended that should have answered."""
    said = done.stderr.decode(errors="replace").strip()
    if done.returncode < 0:
        try:
            name = signal.Signals(-done.returncode).name
        except ValueError:
            name = f"signal {-done.returncode}"
        # The innermost call comes first; of Python's own import nobody learns anything.
        place = re.search(r'^  File "([^<].*)", line \d+ in ', said, re.MULTILINE)
        return f"crashed with {name}" + (f" in {place[1]}" if place else "")
    last = said.rpartition("\n")[2]
    return f"it ended with {done.returncode}: {last or 'it says nothing'}"


def _advice(returncode: int) -> str:
    if returncode == -signal.SIGILL:
        return "it was built for another processor: install it again from the system's packages or piwheels.org"
    if returncode == -signal.SIGKILL:
        return "the kernel ends processes when memory is short: 'dmesg' tells; stop other programs"
    return "install fer-edge again into a new virtual environment, or another version of what crashed"
