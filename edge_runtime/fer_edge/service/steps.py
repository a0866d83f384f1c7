"""Steps that look first whether there is anything to do, so that the second time finds nothing."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from fer_edge import processes
from fer_edge.errors import FerError

State = Literal["done", "unchanged", "would do"]


@dataclass(frozen=True)
class Step:
    """One step, as it stands when it is its turn.

    Attributes:
        name: A word, "user".
        told: What it comes to, for people.
        work: Does it, or raises `FerError` and leaves what was there; None where nothing is to be done.
    """

    name: str
    told: str
    work: Callable[[], None] | None


# Looks; called after the steps before have worked.
Look = Callable[[], Step]


def take(looks: Iterable[Look], tell: Callable[[str], None], *, dry_run: bool) -> None:
    """Take steps in order, a line each.

    Args:
        looks: One a step.
        tell: Takes a line.
        dry_run: Whether to look and tell only.

    Raises:
        FerError: A step failed; the later ones are not taken.
    """
    for look in looks:
        step = look()
        state: State = "unchanged" if step.work is None else "would do" if dry_run else "done"
        if step.work is not None and not dry_run:
            try:
                step.work()
            except OSError as error:
                place = f" {error.filename}" if error.filename else ""
                raise FerError(f"{step.name}: {step.told}:{place} {error.strerror or error}") from error
            except FerError as error:
                raise FerError(f"{step.name}: {error}") from error
        tell(f"{state:<9}  {step.name:<13}  {step.told}")


def call(command: Sequence[str], seconds: float = 60) -> str:
    """Run a program of the system.

    Args:
        command: Program and arguments.
        seconds: That it may take.

    Returns:
        What it prints.

    Raises:
        FerError: It is not there or failed, with what it says last.
    """
    done = attempt(command, seconds)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().rpartition("\n")[2]
        raise FerError(f"{' '.join(command[:3])} failed with {done.returncode}: {said or 'it says nothing'}")
    return done.stdout.decode(errors="replace")


def attempt(command: Sequence[str], seconds: float = 60) -> subprocess.CompletedProcess[bytes]:
    """Run a program of the system that may fail; see `call`."""
    program = shutil.which(command[0])
    if program is None:
        raise FerError(f"there is no program {command[0]}: {_PACKAGES.get(command[0], 'install it')}")
    try:
        return processes.run([program, *command[1:]], seconds)
    except OSError as error:
        raise FerError(f"cannot run {program}: {error.strerror or error}") from error
    except subprocess.TimeoutExpired as error:
        raise FerError(f"{' '.join(command[:3])} gave no answer within {seconds:g} s") from error


_PACKAGES = {
    "systemctl": "a service needs systemd",
    "systemd-sysusers": "sudo apt install systemd",
    "userdel": "sudo apt install passwd",
    "chroot": "sudo apt install coreutils",
}
