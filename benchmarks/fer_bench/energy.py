"""Energy where the board measures it itself; never an estimate from processor time.

- x86: RAPL's counters of the processor packages (the kernel's Documentation/power/powercap). Only root may read them by
  default.
- Raspberry Pi 5: its power controller tells voltage and current of its rails by `vcgencmd pmic_read_adc`, at a moment.

All else, such as the older Raspberry Pis, has no meter.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from fer_edge.board import Ask, find, read_number, read_text, vcgencmd

# Asking costs a process of some milliseconds, so this takes 2 to 4 % of one processor.
SAMPLE_S = 0.25
# What is unknown for longer is not bridged.
_GAP_S = 2.0
# "  VDD_CORE_A current(7)=0.75012000A" and "  VDD_CORE_V volt(15)=0.89745940V"; the numbers of a rail's two differ.
_RAIL = re.compile(r"^\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)=(\d+\.\d+)\2\s*$", re.MULTILINE | re.ASCII)


class Meter(Protocol):
    """Counts energy.

    Attributes:
        name: What it covers.
    """

    name: str

    def read(self) -> float | None:
        """Give the joules since some moment; never less than the read before; None if the board does not tell now."""
        ...

    def close(self) -> None:
        """End; a read after it gives None."""
        ...


def open_meter(root: Path = Path("/"), ask: Ask = vcgencmd) -> Meter | None:
    """Find this machine's meter.

    Args:
        root: Folder that holds `sys`.
        ask: How to ask a Raspberry Pi's firmware.

    Returns:
        The meter, to be closed; None where the machine has none or its user may not read it.
    """
    packages = [
        folder
        for folder in find(root, "sys/class/powercap/intel-rapl:*")
        # "psys" covers the packages again, and "core", "uncore" and "dram" are parts of them or beside them.
        if (read_text(folder / "name") or "").startswith("package")
    ]
    if packages:
        meter = PackageMeter(packages)
        return meter if meter.read() is not None else None
    return RailMeter(ask) if watts(ask("pmic_read_adc")) is not None else None


class PackageMeter:
    """RAPL: cores, caches, graphics and memory controller of all processor packages; not the memory itself.

    The counters are the processor's own, updated about every millisecond, and start anew at their largest value: at 100
    watts after some 45 minutes. So a span to measure should last a tenth of a second at least and minutes at most.
    """

    def __init__(self, packages: list[Path]) -> None:
        """Begin.

        Args:
            packages: Folders that hold `energy_uj` and `max_energy_range_uj`.
        """
        many = len(packages) > 1
        self.name = f"{len(packages)} processor packages, by RAPL" if many else "processor package, by RAPL"
        self._packages: list[Path] = packages
        self._last: dict[Path, int] = {}
        self._joules = 0.0

    def read(self) -> float | None:
        """See `Meter`."""
        ranges = [read_number(package / "max_energy_range_uj") for package in self._packages]
        values = [read_number(package / "energy_uj") for package in self._packages]
        for package, value, largest in zip(self._packages, values, ranges, strict=True):
            if value is None or largest is None:
                return None
            passed = value - self._last.get(package, value)
            self._joules += (passed if passed >= 0 else passed + largest) / 1e6
            self._last[package] = value
        return self._joules if self._packages else None

    def close(self) -> None:
        """See `Meter`."""
        self._packages = []


class RailMeter:
    """A Raspberry Pi 5's power controller: all rails whose current it measures.

    That is the board without what hangs on its 5 volts (USB, a fan) and without the losses of conversion: less than a
    meter at the plug shows. It tells the power of a moment, and a moment in which it is asked between two inferences is
    one in which the measured load rests. So a thread asks for it while the load runs, each `SAMPLE_S`, from the first
    read to `close`, and integrates by trapezoids. The power at a read is taken to be that of the last sample. Where
    variants take turns, a turn's energy therefore goes wrong by up to `SAMPLE_S` times the difference of their powers
    at either end: turns should last several seconds. Being a load itself, it should not run while latency is measured.
    """

    name = "Raspberry Pi 5 without USB, fan and conversion losses, by its power controller"

    def __init__(
        self, ask: Ask = vcgencmd, *, clock: Callable[[], float] = time.monotonic, every: float = SAMPLE_S
    ) -> None:
        """Make the meter; it samples from its first read on.

        Args:
            ask: How to ask the firmware.
            clock: Gives seconds.
            every: Seconds between two samples.
        """
        self._ask, self._clock, self._every = ask, clock, every
        self._integral = Integral()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def read(self) -> float | None:
        """See `Meter`."""
        if self._closing.is_set():
            return None
        if self._thread is None:
            self._sample()
            self._thread = threading.Thread(target=self._run, name="energy", daemon=True)
            self._thread.start()
        with self._lock:
            return self._integral.until(self._clock())

    def close(self) -> None:
        """See `Meter`."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._every):
            self._sample()

    def _sample(self) -> None:
        found = watts(self._ask("pmic_read_adc"))
        if found is not None:
            with self._lock:
                self._integral.add(found, self._clock())


class Integral:
    """Energy of a power that is known at moments."""

    def __init__(self) -> None:
        """Begin; nothing is known."""
        self._joules = 0.0
        self._sampled: float | None = None
        self._reached: tuple[float, float] | None = None
        self._torn = False

    def add(self, power: float, at: float) -> None:
        """Take a sample.

        Args:
            power: Watts.
            at: Moment, seconds, not before that of the last call of either method.
        """
        self._torn |= self._late(at)
        self._extend(power, at)
        self._sampled = at

    def until(self, at: float) -> float | None:
        """Give the joules from the first sample to a moment, as though its power were the last sample's.

        Returns:
            None without a sample, where the last one is more than two seconds old, and after there was such a gap.
        """
        if self._reached is None or self._torn or self._late(at):
            return None
        self._extend(self._reached[1], at)
        return self._joules

    def _late(self, at: float) -> bool:
        return self._sampled is not None and at - self._sampled > _GAP_S

    def _extend(self, power: float, at: float) -> None:
        if self._reached is not None:
            then, before = self._reached
            self._joules += (at - then) * (before + power) / 2
        self._reached = (at, power)


def watts(answer: str | None) -> float | None:
    """Add up what the rails of a Raspberry Pi 5's power controller carry.

    Args:
        answer: To `pmic_read_adc`. Rails of which it tells only the voltage, as of the 5 volts that come in, are left
            out.

    Returns:
        Watts; None if no rail has both.
    """
    rails: dict[str, dict[str, float]] = {}
    for rail, unit, value in _RAIL.findall(answer or ""):
        rails.setdefault(rail, {})[unit] = float(value)
    powers = [rail["A"] * rail["V"] for rail in rails.values() if len(rail) == 2]
    return sum(powers) if powers else None
