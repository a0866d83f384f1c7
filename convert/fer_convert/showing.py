"""What a terminal shows of conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from tabulate import tabulate

if TYPE_CHECKING:
    from fer_convert.converting import Converted


def as_json(converted: list[Converted]) -> str:
    """Write the reports as a JSON list."""
    content = msgspec.json.encode([one.report for one in converted])
    return msgspec.json.format(content, indent=2).decode()


def as_table(converted: list[Converted]) -> str:
    """Write a row a file; the name of one that was not written stands in parentheses."""
    rows = [
        {
            "file": str(one.path) if one.kept else f"({one.report.name})",
            "bytes": one.report.bytes,
            "gzip": one.report.gzip_bytes,
            "zero %": 100 * one.report.sparsity,
            "same label %": 100 * one.report.agreement,
            "accuracy %": 100 * one.report.accuracy.value,
            "balanced %": 100 * one.report.balanced_accuracy,
            "calibration error %": 100 * one.report.calibration_error,
            "points lost": one.report.drop,
            "(95 %)": f"{-100 * one.report.paired.high:.2f} to {-100 * one.report.paired.low:.2f}",
        }
        for one in converted
    ]
    first = converted[0].report
    measured = f"{100 * first.float_accuracy.value:.2f} %"
    return (
        f"{tabulate(rows, headers='keys', floatfmt='.2f', intfmt=',')}\n"
        f"on {first.images} held-out faces ({first.accuracy.split}); the float model has {measured}"
    )
