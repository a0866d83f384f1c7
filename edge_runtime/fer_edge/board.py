"""What a board tells of itself: name, processor, temperature, frequency, throttling, processor time.

Reading only. Each probe gives None where the board does not tell: on another machine than a Raspberry Pi, in a
container or a sandbox that hides the file, for a user who may not read it. Sources: the kernel's
Documentation/ABI/testing/sysfs-class-thermal, sysfs-devices-system-cpu and sysfs-firmware-ofw (the device tree with the
board's name), proc_stat(5), and Raspberry Pi's documentation of `vcgencmd`
(https://www.raspberrypi.com/documentation/computers/os.html#vcgencmd) and of the processor's frequency and temperature.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from fer_edge import processes

# From a command to the firmware, such as "get_throttled", to its answer; None without one.
Ask = Callable[[str], str | None]

# Why a Raspberry Pi runs slower than asked, by bit of `get_throttled`; 16 bits higher the same since boot.
CAUSES = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
# The Raspberry Pi's firmware lowers the frequency step by step from here to 85 C, on every model. The lower soft limit
# of the Pi 3B+ can be configured; "soft temperature limit" tells when it is reached.
RASPBERRY_PI_LIMIT_C = 80.0

NO_VCGENCMD = "vcgencmd is not installed"

_ANSWER_S = 2.0  # vcgencmd answers in milliseconds, or hangs with the firmware
# By implementer and part in /proc/cpuinfo: the Raspberry Pis 2, 3 and Zero 2, 4, and 5.
_CORES = {
    ("0x41", "0xc07"): "Cortex-A7",
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd0b"): "Cortex-A76",
}
# "cpu-thermal" and, long ago, "bcm2835_thermal" are a Raspberry Pi's; others measure a battery, a disk or the case.
_PROCESSOR_ZONE = re.compile(r"cpu|soc|x86_pkg|bcm2835", re.IGNORECASE)


class ProcessorTime(NamedTuple):
    """Processor time since boot, of all processors together.

    Attributes:
        busy: Seconds in which they worked: for processes, for the kernel, for interrupts.
        stolen: Seconds in which a virtual machine's host gave a processor that was wanted to somebody else.
    """

    busy: float
    stolen: float


class Answer(NamedTuple):
    """What came of asking the firmware.

    Attributes:
        text: What `vcgencmd` printed; None without an answer.
        problem: Why there is none, in a few words; None with an answer.
    """

    text: str | None
    problem: str | None = None


def ask_firmware(command: str) -> Answer:
    """Ask the firmware of a Raspberry Pi, and tell why there is no answer; see `vcgencmd`."""
    try:
        done = processes.run(["vcgencmd", command], _ANSWER_S)
    except FileNotFoundError:
        return Answer(None, NO_VCGENCMD)
    except OSError as error:
        return Answer(None, f"vcgencmd cannot be run: {error.strerror or error}")
    except subprocess.TimeoutExpired:
        return Answer(None, f"vcgencmd gave no answer within {_ANSWER_S:g} s")
    text = done.stdout.decode(errors="replace")
    if done.returncode == 0:
        return Answer(text)
    said = (done.stderr.decode(errors="replace") + text).strip().partition("\n")[0]
    return Answer(None, f"vcgencmd failed with {done.returncode}: {said or 'it says nothing'}")


def vcgencmd(command: str) -> str | None:
    """Ask the firmware of a Raspberry Pi.

    Args:
        command: Such as "get_throttled".

    Returns:
        What `vcgencmd` prints; None where it is not installed, may not talk to the firmware (that is for the group
        "video"), gets no answer, or the firmware of this model does not know the command.
    """
    return ask_firmware(command).text


def read_text(path: Path) -> str | None:
    """Give a small file without the white space and NULs around its text; None if it cannot be read or is empty."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content.decode(errors="replace").strip("\0 \t\n") or None


def read_number(path: Path) -> int | None:
    """Give the number that a file holds; None if it cannot be read or holds something else."""
    text = read_text(path)
    return int(text) if text is not None and re.fullmatch(r"-?[0-9]{1,20}", text) else None


def find(folder: Path, pattern: str) -> list[Path]:
    """Give what matches a pattern within a folder, sorted by name; nothing where it may not be looked into."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


@dataclass(frozen=True)
class Board:
    """The probes of one board.

    Attributes:
        root: Folder that holds `proc` and `sys`.
        ask: How to ask a Raspberry Pi's firmware.

    Example:
        >>> Board(Path("/nowhere"), ask=lambda command: "throttled=0x50001").throttled()
        ('under-voltage now', 'under-voltage since boot', 'throttled since boot')
    """

    root: Path = Path("/")
    ask: Ask = vcgencmd

    def model(self) -> str | None:
        """Name the board by its device tree, such as "Raspberry Pi 5 Model B Rev 1.0"; x86 has no such name."""
        return self._device_tree("model")

    def processor(self) -> str | None:
        """Name the processor, such as "Cortex-A76" or "AMD EPYC"; several kinds of core are joined by " and "."""
        lines = self._cpuinfo()
        cores = list(zip(lines.get("CPU implementer", ()), lines.get("CPU part", ()), strict=False))
        if cores:  # ahead of "model name", which on 32-bit ARM is "ARMv7 Processor rev 3 (v7l)"
            kinds = dict.fromkeys(cores)
            # The first core's name is no other kind's.
            first = self._core() if len(kinds) == 1 else None
            return " and ".join(_CORES.get(kind) or first or " ".join(kind) for kind in kinds)
        return next(iter(lines.get("model name", ())), None) or self._core()

    def online(self) -> int | None:
        """Count the processors that are switched on, whoever may use them."""
        text = read_text(self.root / "sys/devices/system/cpu/online")
        if text is None or not re.fullmatch(r"\d{1,6}(-\d{1,6})?(,\d{1,6}(-\d{1,6})?)*", text):
            return None
        ranges = [part.split("-") for part in text.split(",")]
        return sum(int(ends[-1]) - int(ends[0]) + 1 for ends in ranges)

    def temperature(self) -> float | None:
        """Measure the processor, degrees Celsius; the hottest of its sensors."""
        found = [read_number(zone / "temp") for zone in self._zones()]
        return max((value / 1000 for value in found if value is not None), default=None)

    def temperature_limit(self) -> float | None:
        """Give the temperature from which the processor is slowed down to cool it, degrees Celsius.

        The lowest passive trip point of its sensors where the kernel has one; on a Raspberry Pi, where the firmware
        does it, `RASPBERRY_PI_LIMIT_C`. Active trip points switch fans and critical ones the power; neither counts.
        """
        passive = [
            read_number(kind.with_name(kind.name.replace("type", "temp")))
            for zone in self._zones()
            for kind in find(zone, "trip_point_*_type")
            if read_text(kind) == "passive"
        ]
        # A trip point that is switched off has no temperature or one of 0 or less.
        limits = [value / 1000 for value in passive if value is not None and value > 0]
        if limits:
            return min(limits)
        return RASPBERRY_PI_LIMIT_C if (self.model() or "").startswith("Raspberry Pi") else None

    def throttled(self) -> tuple[str, ...] | None:
        """Tell what makes a Raspberry Pi run slower than asked, or made it.

        Returns:
            Of each of `CAUSES` "CAUSE now" and "CAUSE since boot", whichever hold; empty where all is well; None
            without a firmware that tells. The kernel's own file, read where `vcgencmd` does not answer, is two seconds
            old at most and forgets after that time what is no longer so.
        """
        answer = re.fullmatch(r"throttled=0x([0-9a-fA-F]{1,8})", (self.ask("get_throttled") or "").strip())
        if answer is not None:
            return _words(int(answer[1], 16))
        # Second, since the kernel calls it deprecated; "soc@107c000000/soc@107c000000:firmware" on a Raspberry Pi 5.
        for path in find(self.root, "sys/devices/platform/soc*/soc*:firmware/get_throttled"):
            text = read_text(path)
            if text is not None and re.fullmatch(r"[0-9a-fA-F]{1,8}", text):
                return _words(int(text, 16))
        return None

    def megahertz(self) -> tuple[float, ...] | None:
        """Give the frequency of each processor that is switched on, in their order, MHz.

        On a Raspberry Pi it is the one that the kernel asked for: where the firmware runs it slower, `throttled`
        tells. None unless all of them tell.
        """
        asked = [read_number(folder / "scaling_cur_freq") for folder in self._cpufreq()]
        if asked and None not in asked:
            return tuple(kilohertz / 1000 for kilohertz in asked if kilohertz is not None)
        texts = self._cpuinfo().get("cpu MHz", ())
        try:
            found = tuple(map(float, texts))
        except ValueError:
            return None
        return found if found and all(map(isfinite, found)) else None

    def governor(self) -> str | None:
        """Name what chooses the frequency, such as "ondemand"; "mixed" where processors differ."""
        names = {read_text(folder / "scaling_governor") for folder in self._cpufreq()}
        return names.pop() if len(names) == 1 else "mixed" if names and None not in names else None

    def processor_time(self) -> ProcessorTime | None:
        """Read the processor time since boot; its resolution is that of `SC_CLK_TCK`, mostly 10 ms."""
        # Guest time, which would follow, is within user and nice.
        total = re.match(r"cpu" + r"\s+(\d{1,20})" * 8 + r"\b", read_text(self.root / "proc/stat") or "")
        if total is None:
            return None
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, total.groups())
        second = os.sysconf("SC_CLK_TCK")
        return ProcessorTime((user + nice + system + irq + softirq) / second, steal / second)

    def _zones(self) -> list[Path]:
        """Give the folders of the processor's temperature sensors."""
        zones = find(self.root, "sys/class/thermal/thermal_zone*")
        return [zone for zone in zones if _PROCESSOR_ZONE.search(read_text(zone / "type") or "")]

    def _cpufreq(self) -> list[Path]:
        folders = find(self.root, "sys/devices/system/cpu/cpu[0-9]*/cpufreq")
        return sorted(folders, key=lambda folder: int(folder.parent.name.removeprefix("cpu")))

    def _cpuinfo(self) -> dict[str, list[str]]:
        """Give what /proc/cpuinfo says, by key, a value for each processor."""
        found: dict[str, list[str]] = {}
        for line in (read_text(self.root / "proc/cpuinfo") or "").splitlines():
            key, _, value = line.partition(":")
            if value.strip():
                found.setdefault(key.strip(), []).append(value.strip())
        return found

    def _core(self) -> str | None:
        """Name the first core by the device tree, "arm,cortex-a55": for those that `_CORES` lacks."""
        compatible = self._device_tree("cpus/cpu@0/compatible")
        name = re.match(r"arm,cortex-([a-z]\w+)", compatible or "")
        return f"Cortex-{name[1].upper()}" if name else None

    def _device_tree(self, name: str) -> str | None:
        # A service's sandbox hides the first, which is a link to the second.
        return read_text(self.root / "proc/device-tree" / name) or read_text(
            self.root / "sys/firmware/devicetree/base" / name
        )


def _words(bits: int) -> tuple[str, ...]:
    """Turn the bits of `get_throttled` into words."""
    moments = (("now", 0), ("since boot", 16))
    return tuple(
        f"{cause} {when}" for when, shift in moments for bit, cause in enumerate(CAUSES) if (bits >> (shift + bit)) & 1
    )
