"""What a measurement found: the content of `fer-bench --json`, whose schema is docs/fer-bench.schema.json."""

from __future__ import annotations

import msgspec

from fer_bench.results.answers import Agreement, Data, Flip, Judgement
from fer_bench.results.circumstances import Conditions, Settings, State
from fer_bench.results.costs import Cost, Latency, Operator, Profile, Start
from fer_bench.results.figures import Estimate, Ratio, Verdict
from fer_bench.results.loops import Loop, Loops, Shares, Stage
from fer_bench.results.robustness import Against, Corrupted, Robustness

__all__ = [
    "FORMAT_VERSION",
    "Against",
    "Agreement",
    "Conditions",
    "Corrupted",
    "Cost",
    "Data",
    "Estimate",
    "Flip",
    "Judgement",
    "Latency",
    "Loop",
    "Loops",
    "Operator",
    "Profile",
    "Ratio",
    "Result",
    "Robustness",
    "Row",
    "Settings",
    "Shares",
    "Stage",
    "Start",
    "State",
    "Verdict",
]

# 1 had no intervals; what reads a result refuses another version than this.
FORMAT_VERSION = 2


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One variant: a model file with an interpreter and a number of threads.

    Attributes:
        title: Short and unique in the result, such as "mine-int8" or "mine-int8, 2 threads".
        file: Path as given.
        sha256: Of the file.
        model: Name in its metadata; the file's stem where it has none.
        recipe: How it was converted; "" where unknown.
        runtime: Interpreter with its version; "" where none took it.
        threads: Of the interpreter.
        failures: What could not be measured, and why; empty where all could.
        latency: Steady state.
        start: Fresh processes.
        cost: Size, work, energy.
        profile: By operator.
        judgement: On the data given.
        agreement: With the float parent on the data given.
        robustness: On the data given, corrupted.
    """

    title: str
    file: str
    sha256: str
    model: str
    recipe: str
    runtime: str
    threads: int
    failures: tuple[str, ...] = ()
    latency: Latency | None = None
    start: Start | None = None
    cost: Cost | None = None
    profile: Profile | None = None
    judgement: Judgement | None = None
    agreement: Agreement | None = None
    robustness: Robustness | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        format_version: Of this JSON.
        time: When it began, UTC, ISO 8601.
        settings: How it was measured.
        conditions: Where.
        energy_meter: What the energy covers; None without a meter.
        data: Labelled faces; None without.
        rows: The variants.
        loops: The whole loops; None without.
    """

    format_version: int
    time: str
    settings: Settings
    conditions: Conditions
    energy_meter: str | None
    data: Data | None
    rows: tuple[Row, ...]
    loops: Loops | None
