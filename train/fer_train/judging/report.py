"""A judgement as a folder: one HTML page, JSON, and the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from fer_edge import files
from fer_edge.errors import UsageError
from fer_edge.reliability import BINS
from fer_train.datasets import Split
from fer_train.judging import figures, summary
from fer_train.judging.judgement import Judgement
from fer_train.judging.page import Section, Table, page

PAGE = "report.html"
JSON = "report.json"


def check(out: Path) -> None:
    """Find out early that no report can be written.

    Raises:
        UsageError: A file stands where the folder would.
    """
    if files.kind(out) == "file":
        raise UsageError(f"{out} is a file: --out names a folder for the report")


def write(
    out: Path,
    name: str,
    judgement: Judgement,
    split: Split,
    probabilities: npt.NDArray[np.float32],
    names: Sequence[str],
    *,
    epochs: Sequence[Mapping[str, float]] | None = None,
    extra_sections: Sequence[Section] = (),
    extra_fields: Mapping[str, Any] | None = None,
) -> None:
    """Write report.html, report.json and its pictures, each whole or not at all, over those of an older report.

    Args:
        out: The folder, made where it is absent.
        name: Of the model.
        judgement: Of these probabilities.
        split: N faces with the true classes.
        probabilities: [N, C] float32, 0..1.
        names: The C classes.
        epochs: Metrics of the training by name, an entry an epoch, for curves.png; None for no such picture.
        extra_sections: What else the page tells of the model, after its measures.
        extra_fields: What else the JSON tells; its other fields are "name" and those of `Judgement`.

    Raises:
        UsageError: A file stands where the folder would.
        FerError: The folder cannot be written.
    """
    check(out)
    answers = (split.faces, split.labels, probabilities, names)
    pictures = {
        "confusion": figures.confusion(judgement.confusion, names),
        "reliability": figures.reliability(judgement.reliability, judgement.calibration_error),
        "mistakes": figures.mistakes(*answers),
        "predictions": figures.predictions(*answers),
    }
    if epochs:
        pictures["curves"] = figures.curves(epochs)
    measures, *others = _sections(judgement, pictures)
    for picture, content in pictures.items():
        files.write_bytes(out / f"{picture}.png", content)
    title = f"{name} on {judgement.accuracy.split}"
    files.write_bytes(out / PAGE, page(title, [measures, *extra_sections, *others]))
    content = msgspec.json.encode({"name": name, **(extra_fields or {}), **msgspec.to_builtins(judgement)})
    files.write_bytes(out / JSON, msgspec.json.format(content, indent=2) + b"\n")


def _sections(judgement: Judgement, pictures: Mapping[str, bytes]) -> list[Section]:
    clusters = summary.clusters(judgement)
    recalls = ", ".join(f"{one.label} {summary.percent(one.recall)}" for one in judgement.classes)
    split, error = judgement.accuracy.split, summary.percent(judgement.calibration_error)
    sections = [
        Section(
            "Measures",
            (
                "The interval of an accuracy is Wilson's, 95 %. Balanced accuracy and macro F1 are means over the "
                f"expressions that occur in {split}.",
            ),
            Table((), summary.measures(judgement)),
        ),
        Section("By expression", table=Table(summary.CLASS_HEADER, summary.classes(judgement))),
        Section(
            "Confusion matrix",
            ("A row is a true expression, its cells are what the model answered: images, and their share of the row.",),
            picture=pictures["confusion"],
            alt=f"Confusion matrix. Share of each expression that is found: {recalls}.",
        ),
        Section(
            "Calibration",
            (
                "A model is well calibrated where its answers are right as often as it is confident. The expected "
                f"calibration error over {BINS} bins of equal width (Guo et al. 2017) is {error}.",
            ),
            picture=pictures["reliability"],
            alt=f"Reliability diagram: accuracy against confidence. Expected calibration error {error}.",
        ),
        Section(
            "Most confident mistakes",
            (summary.mistakes(judgement),),
            Table(summary.CONFUSION_HEADER, clusters) if clusters else None,
            pictures["mistakes"],
            "The faces of the most confident wrong answers, each with the answer and the true expression.",
        ),
        Section(
            "Some answers",
            (f"A random sample of {split}; right answers are green with a tick, wrong ones red with a cross.",),
            picture=pictures["predictions"],
            alt="Faces drawn at random, each with the answer and the true expression.",
        ),
    ]
    if "curves" in pictures:
        sections.append(
            Section(
                "Training",
                ("Loss and accuracy after each epoch; the dotted line marks the best validation accuracy.",),
                picture=pictures["curves"],
                alt="Curves of loss and accuracy over the epochs, for training and validation.",
            )
        )
    return sections
