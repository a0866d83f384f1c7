"""What a measurement found, as JSON and as a table."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from tabulate import tabulate

from fer_bench.latency import Latency
from fer_edge.metadata import Accuracy


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One model file at one number of threads.

    Attributes:
        model: Name from its metadata.
        file: Path as given.
        sha256: Of the file.
        bytes: Size of the file.
        gzip_bytes: The same compressed.
        parameters: Number of weights of the float model.
        runtime: Interpreter with its version.
        threads: Of the interpreter.
        latency: Of classifying one face.
        accuracy: On the data given, absent without data.
        recalls: By label on that data, empty without data.
        confusion: Row t, column p: how often label t was called p on that data; empty without data.
    """

    model: str
    file: str
    sha256: str
    bytes: int
    gzip_bytes: int
    parameters: int
    runtime: str
    threads: int
    latency: Latency
    accuracy: Accuracy | None
    recalls: dict[str, float | None]
    confusion: tuple[tuple[int, ...], ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All rows and the conditions they were measured under.

    Attributes:
        format_version: Of this JSON.
        time: UTC, ISO 8601.
        conditions: Processor, system and versions.
        rows: The measurements.
    """

    format_version: int
    time: str
    conditions: dict[str, str]
    rows: tuple[Row, ...]


def conditions() -> dict[str, str]:
    """Name what a figure depends on besides the model."""
    return {
        "processor": _processor(),
        "processors": str(len(os.sched_getaffinity(0))),
        "system": platform.platform(),
        "python": platform.python_version(),
        "fer-edge": importlib.metadata.version("fer-edge"),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name the processor: x86 kernels say it as "model name", a Raspberry Pi's as "Model"."""
    facts = {}
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            facts[key.strip()] = value.strip()
    return facts.get("Model") or facts.get("model name") or platform.machine()


def make(rows: tuple[Row, ...]) -> Report:
    """Put rows together with the conditions of now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Report(format_version=1, time=now, conditions=conditions(), rows=rows)


def as_json(report: Report) -> bytes:
    """Give the report as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def as_table(report: Report) -> str:
    """Give the report as a table for people."""
    return tabulate([_cells(row) for row in report.rows], headers="keys", intfmt=",", floatfmt=".3f", missingval="-")


def _cells(row: Row) -> dict[str, Any]:
    median = row.latency.percentile(50)
    cells: dict[str, Any] = {
        "model": row.model,
        "bytes": row.bytes,
        "gzip": row.gzip_bytes,
        "threads": row.threads,
        "p50 ms": median,
        "p90 ms": row.latency.percentile(90),
        "p99 ms": row.latency.percentile(99),
        "faces/s": round(1000 / median),
    }
    if row.accuracy is not None:
        found = row.accuracy
        cells["accuracy % (95 %)"] = f"{100 * found.value:.2f} ({100 * found.low:.2f} to {100 * found.high:.2f})"
    return cells
