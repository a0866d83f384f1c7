"""What is in a data set and what training makes of it: counts, defects, and pictures of samples and augmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from tabulate import tabulate

from fer_edge import files
from fer_train import balance
from fer_train.datasets import Dataset, defects
from fer_train.datasets.defects import Defects

SAMPLES = 12
PAGE = "report.html"
JSON = "report.json"


def facts(data: Dataset) -> dict[str, Any]:
    """Give everything that is counted, for JSON.

    Returns:
        `name`, `sha256`, `counts` by split and label, `train_counts` by what is done to the training split and label
        (images an epoch shows: each is augmented anew whenever it is shown, which leaves the numbers as they are),
        `class_weights` by label, `defects`, `skipped`, `notes`.
    """
    labels = data.split("train").labels
    weights = balance.weights(labels, len(data.labels), "class-weight")
    assert weights is not None
    return {
        "name": data.name,
        "sha256": data.fingerprint(),
        "counts": data.counts(),
        "train_counts": {
            "as it is": _counts(data, labels),
            "--drop-duplicates": _counts(data, defects.without_leaks(data).split("train").labels),
            "--balance oversample": _counts(data, labels[balance.order(labels, "oversample")]),
        },
        "class_weights": dict(zip(data.labels, (round(weight, 4) for weight in weights.tolist()), strict=True)),
        "defects": defects.find(data),
        "skipped": data.skipped,
        "notes": data.notes,
    }


def as_text(found: dict[str, Any]) -> str:
    """Write what a terminal shows."""
    tables = [_table(*_splits(found)), _table(*_training(found))]
    return "\n\n".join([*tables, "\n".join(_defects(found["defects"]))])


def write(out: Path, data: Dataset, found: dict[str, Any], seed: int) -> None:
    """Write report.html, report.json, samples.png and augmentation.png into a folder, each whole or not at all.

    Raises:
        FerError: The workstation extra is not installed, or the folder cannot be written.
    """
    # Plots and TensorFlow come with the workstation alone; counting needs neither.
    from fer_train import showing
    from fer_train.judging import figures
    from fer_train.judging.page import Section, Table, page

    samples = figures.faces_grid(showing.samples(data, SAMPLES, seed))
    augmented = figures.faces_grid(showing.augmentations(data, SAMPLES, seed))
    sections = [
        Section("Images by split", tuple(found["notes"]), Table(*_splits(found))),
        Section(
            "What training makes of them",
            (
                "Images that an epoch shows. Augmentation changes each of them anew every time, not their number. "
                "Weights are those of --balance class-weight.",
            ),
            Table(*_training(found)),
        ),
        Section("Defects", (*_defects(found["defects"]), *found["skipped"][:20])),
        Section("Samples", (), None, samples, "Faces of each expression, drawn at random from the training split."),
        Section(
            "Augmentation",
            ("One face a column, as each level of --augment may show it.",),
            None,
            augmented,
            "The same faces under each level of augmentation.",
        ),
    ]
    files.write_bytes(out / "samples.png", samples)
    files.write_bytes(out / "augmentation.png", augmented)
    files.write_bytes(out / PAGE, page(f"{found['name']}: {found['defects'].images:,} images", sections))
    files.write_bytes(out / JSON, as_json(found))


def as_json(found: dict[str, Any]) -> bytes:
    """Write `facts` as JSON."""
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"


def _counts(data: Dataset, labels: Any) -> dict[str, int]:
    return dict(zip(data.labels, np.bincount(labels, minlength=len(data.labels)).tolist(), strict=True))


def _splits(found: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    return _columns(found["name"], found["counts"])


def _training(found: dict[str, Any]) -> tuple[list[str], list[list[object]]]:
    header, rows = _columns("training images", found["train_counts"])
    weights = [*(f"{weight:.2f}" for weight in found["class_weights"].values()), ""]
    return [*header, "weight"], [[*row, weight] for row, weight in zip(rows, weights, strict=True)]


def _columns(name: str, columns: dict[str, dict[str, int]]) -> tuple[list[str], list[list[object]]]:
    labels = next(iter(columns.values()))
    rows: list[list[object]] = [[label, *(f"{column[label]:,}" for column in columns.values())] for label in labels]
    rows.append(["all", *(f"{sum(column.values()):,}" for column in columns.values())])
    return [name, *columns], rows


def _table(header: list[str], rows: list[list[object]]) -> str:
    return tabulate(rows, headers=header, disable_numparse=True, colalign=("left", *("right",) * (len(header) - 1)))


def _defects(wrong: Defects) -> list[str]:
    return [
        f"{wrong.unique:,} of {wrong.images:,} images are different, {wrong.unique_train:,} in train",
        f"{wrong.duplicate_groups:,} occur more than once, {wrong.duplicate_images:,} images together",
        f"{wrong.conflicting_groups:,} of them with different labels, {wrong.conflicting_images:,} images together",
        f"{wrong.blank:,} images are blank",
        *(
            f"{leaked:,} images of {split} are in train as well (fit --drop-duplicates leaves those out of train)"
            for split, leaked in wrong.leaked.items()
        ),
    ]
