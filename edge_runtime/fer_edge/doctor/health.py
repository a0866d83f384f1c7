"""How the processor fares: temperature, power, speed."""

from __future__ import annotations

from collections.abc import Callable

from fer_edge.board import NO_VCGENCMD, Answer, Board
from fer_edge.doctor.finding import Finding, failure, ok, warning

# Below the limit; a degree more or less is noise.
_NEAR_C = 5.0
_COOL = "cool it: a heat sink or a fan, free vents, out of the sun"
_POWER = (
    "use a power supply made for this board (Pi 3: 5.1 V 2.5 A, Pi 4: 3 A, Pi 5: 5 A) on a short cable, and power "
    "USB devices by a hub of their own"
)


def temperature(board: Board) -> list[Finding]:
    """Tell how far the processor is from being slowed down."""
    measured, limit = board.temperature(), board.temperature_limit()
    if measured is None:
        return [ok("temperature", "this machine does not tell")]
    if limit is None:
        return [ok("temperature", f"{measured:.1f} C")]
    told = f"{measured:.1f} C, slowed down from {limit:.0f} C"
    return [warning("temperature", told, _COOL) if measured >= limit - _NEAR_C else ok("temperature", told)]


def throttling(board: Board, firmware: Callable[[str], Answer]) -> list[Finding]:
    """Tell what makes a Raspberry Pi run slower than asked, or made it since its start.

    The bits of `vcgencmd get_throttled`, which `Board.throttled` reads, are those of
    https://www.raspberrypi.com/documentation/computers/os.html#get_throttled.

    Args:
        board: Asked for what the kernel tells where the firmware does not answer.
        firmware: Asked once.
    """
    answer = firmware("get_throttled")
    words = Board(board.root, lambda _: answer.text).throttled()
    problem = answer.problem
    if problem is None and answer.text is not None and "throttled=" not in answer.text:
        problem = f"vcgencmd answered {answer.text.strip()[:80]!r}"
    if problem == NO_VCGENCMD and (words is not None or not _is_raspberry_pi(board)):
        problem = None
    found = [] if problem is None else [warning("throttling", problem, _unanswered(problem))]
    if words:
        found.append(_slowed(words))
    elif words is not None:
        found.append(ok("throttling", "none now, none since boot"))
    elif not found:
        found.append(ok("throttling", "this machine does not tell"))
    return found


def _unanswered(problem: str) -> str:
    if problem == NO_VCGENCMD:
        return "sudo apt install raspi-utils (libraspberrypi-bin on older systems)"
    if "no answer" in problem:
        return "restart the board; if it hangs again, update its firmware with 'sudo apt full-upgrade'"
    return "it asks /dev/vcio, which is for the group video: sudo usermod -aG video $USER, then log in again"


def _slowed(words: tuple[str, ...]) -> Finding:
    told = ", ".join(words)
    now = [word for word in words if word.endswith(" now")]
    lacks_power = any(word.startswith("under-voltage") for word in words)
    advice = [_POWER] if lacks_power else []
    # Without power enough a board is capped and throttled too; the soft limit is always heat.
    if not lacks_power or any(word.startswith("soft temperature limit") for word in words):
        advice.append(_COOL)
    if not now:
        advice.append("'since boot' is forgotten with a restart")
    # What writes to its card while the voltage is low may ruin it.
    tell = failure if "under-voltage now" in now else warning
    return tell("throttling", told, "; ".join(advice))


def governor(board: Board) -> list[Finding]:
    """Tell what chooses the processor's frequency, and what it has chosen."""
    name, megahertz = board.governor(), board.megahertz()
    told = name or "this machine does not tell"
    if megahertz:
        low, high = min(megahertz), max(megahertz)
        told += f", {high:.0f} MHz now" if round(low) == round(high) else f", {low:.0f} to {high:.0f} MHz now"
    if name == "powersave" and _is_raspberry_pi(board):
        advice = "echo ondemand | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        return [warning("governor", f"{told}: the processor stays at its lowest frequency", advice)]
    return [ok("governor", told)]


def _is_raspberry_pi(board: Board) -> bool:
    return (board.model() or "").startswith("Raspberry Pi")
