"""Where and how it was measured."""

from __future__ import annotations

import msgspec


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The board at one moment; None for what it does not tell.

    Attributes:
        temperature: Of the processor, degrees Celsius.
        throttled: What the firmware says is wrong now or was since boot, such as "under-voltage now"; None without
            such firmware.
        megahertz: Of each processor.
        governor: What chooses the frequency; "mixed" where processors differ.
        arithmetic_us: What a fixed calculation takes, microseconds; see `fer_bench.speed`.
        memory_us: What reading 16 MB takes, microseconds.
    """

    temperature: float | None
    throttled: tuple[str, ...] | None
    megahertz: tuple[float, ...] | None
    governor: str | None
    arithmetic_us: float | None = None
    memory_us: float | None = None


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures depend on besides the models.

    Attributes:
        board: Raspberry Pi's own name, or "".
        processor: Its name and architecture.
        processors: How many this process may use.
        pinned: Whether those are fewer than the machine has.
        system: Kernel.
        versions: Packages and Python.
        before: The board when the measuring began.
        after: And when it ended.
        others: Processor time of other processes while it was measured, in processors (1.0 is one kept busy);
            None where it is not known.
        problems: Why the figures are not to be trusted; empty where they are.
        slowness: Of each turn of the latency: how many times as long as at best fixed work took when it began.
        waited_s: How long was waited for an undisturbed machine, seconds.
    """

    board: str
    processor: str
    processors: int
    pinned: bool
    system: str
    versions: dict[str, str]
    before: State
    after: State
    others: float | None
    problems: tuple[str, ...]
    slowness: tuple[float, ...] = ()
    waited_s: float = 0.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How it was measured.

    Attributes:
        runs: Timed faces of each variant, at least.
        seconds: Timed time of each variant, at least.
        rounds: Turns of each variant.
        processes: Fresh processes of each variant.
        seed: Of the order of turns and of the bootstrap.
        quick: Whether it was cut short.
    """

    runs: int
    seconds: float
    rounds: int
    processes: int
    seed: int
    quick: bool
