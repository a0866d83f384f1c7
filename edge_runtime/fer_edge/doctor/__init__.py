"""What is right and what is wrong with this device: one check after the other, whatever the others came to.

A check gives its findings and does not raise for the state of the machine. What may take the process along (a native
library that was built for another processor, a camera stack that hangs) is tried in a process of its own: see `apart`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from fer_edge.board import Answer, Board, ask_firmware
from fer_edge.doctor import cameras, clock, health, resources, system
from fer_edge.doctor.apart import apart
from fer_edge.doctor.finding import LEVELS, Finding, Level, failure, worst

__all__ = ["LEVELS", "Finding", "Level", "examine", "worst"]

Check = Callable[[], Sequence[Finding]]


def examine(
    *,
    model: Path | None = None,
    runtime: str | None = None,
    root: Path = Path("/"),
    firmware: Callable[[str], Answer] = ask_firmware,
) -> Iterator[Finding]:
    """Examine this device.

    Args:
        model: The `.tflite` to try; None for the shipped one.
        runtime: See `fer_edge.interpreter.Interpreter`.
        root: Folder that holds `proc`, `sys`, `dev` and `etc`.
        firmware: How to ask a Raspberry Pi's firmware.

    Yields:
        The findings, each as soon as it is there.
    """
    board = Board(root, lambda command: firmware(command).text)
    checks: dict[str, Check] = {
        "fer-edge": system.program,
        "board": partial(system.board, board),
        "system": partial(system.system, root),
        "python": system.python,
        "opencv": partial(apart, "opencv", "opencv"),
        "interpreter": partial(
            apart, "interpreter", "model", model=str(model.absolute()) if model else None, runtime=runtime
        ),
        "camera": partial(cameras.cameras, board),
        "permission": partial(cameras.permission, root),
        "temperature": partial(health.temperature, board),
        "throttling": partial(health.throttling, board, firmware),
        "governor": partial(health.governor, board),
        "memory": partial(resources.memory, root),
        "disk": partial(resources.disk, (root, Path())),
        "clock": clock.clock,
    }
    for name, check in checks.items():
        yield from _guarded(name, check)


def _guarded(name: str, check: Check) -> Sequence[Finding]:
    try:
        return check()
    except Exception as error:  # a defect of ours, which hides no other check
        told = f"the check itself failed: {type(error).__name__}: {error}"
        return [failure(name, told, "please report this line with the board and the system above")]
