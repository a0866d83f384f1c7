"""The model card of a run (Mitchell et al. 2019, arXiv:1810.03993), and whether it learned its faces by heart."""

from __future__ import annotations

from pathlib import Path

import jinja2
from tabulate import tabulate

from fer_edge import files
from fer_train import calibrating
from fer_train.judging import summary
from fer_train.judging.judgement import Judgement
from fer_train.run_folder import RunInfo

NAME = "README.md"
# Beyond this share of right answers more on the training faces than on others, we call it overfitting.
_GAP = 0.1


def overfitting(info: RunInfo) -> str:
    """Say how far training and validation part.

    The kept weights are judged on training faces without augmentation or dropout; the epochs' own training accuracy is
    with both, and so no measure of it. Losses say since when: validation's lowest is where it began to rise.
    """
    if info.train_accuracy is None:
        return "Not measured: the run was made by an older version."
    gap = info.train_accuracy.value - info.accuracy.value
    lowest = min(range(len(info.epochs)), key=lambda epoch: info.epochs[epoch]["val_loss"])
    first, last = info.epochs[lowest]["val_loss"], info.epochs[-1]["val_loss"]
    rose = f"; its loss there was lowest in epoch {lowest + 1} ({first:.3f}) and is {last:.3f} after the last"
    figures = (
        f"{100 * info.train_accuracy.value:.1f} % on training faces, {100 * info.accuracy.value:.1f} % on "
        f"{info.accuracy.split}{rose if lowest + 1 < len(info.epochs) else ''}"
    )
    if gap <= _GAP:
        return f"No overfitting to speak of: {figures}."
    return f"OVERFITTING: the model knows its training faces {100 * gap:.0f} points better than others: {figures}."


def write(folder: Path, name: str, info: RunInfo, judgement: Judgement) -> None:
    """Write the card into a run folder. Raises `FerError` where that is impossible."""
    environment = jinja2.Environment(  # nosec B701 # Markdown, no HTML
        loader=jinja2.PackageLoader("fer_train", "."), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    text = environment.get_template("card.md.j2").render(
        name=name,
        info=info,
        settings=info.settings,
        overfitting=overfitting(info),
        confidence=calibrating.sentence(info.confidence),
        measures=tabulate(summary.measures(judgement), headers=["measure", "value"], tablefmt="pipe"),
        classes=tabulate(summary.classes(judgement), headers=summary.CLASS_HEADER, tablefmt="pipe"),
        counts=tabulate(
            [[label, *(info.data.counts[split][label] for split in info.data.counts)] for label in info.labels],
            headers=["expression", *info.data.counts],
            tablefmt="pipe",
            intfmt=",",
        ),
        fer2013=info.data.name == "FER2013",
    )
    files.write_bytes(folder / NAME, text.encode())
