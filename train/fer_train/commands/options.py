"""What several commands share: how data is named and read."""

from __future__ import annotations

from pathlib import Path

from fer_edge.command import warn
from fer_train import datasets


def names(labels: str | None) -> tuple[str, ...] | None:
    """Take apart what --labels gives."""
    return None if labels is None else tuple(label.strip() for label in labels.split(","))


def load(data: Path, labels: tuple[str, ...] | None, *, drop_duplicates: bool = False) -> datasets.Dataset:
    """Read a data set, telling what was skipped."""
    found = datasets.load(data, labels=labels, drop_duplicates=drop_duplicates)
    for reason in found.skipped[:20]:
        warn(f"skipped: {reason}")
    if found.skipped:
        warn(f"skipped {len(found.skipped)} files that are no images")
    return found
