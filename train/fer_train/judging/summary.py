"""A judgement in words and tables."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from fer_train.judging.judgement import CONFIDENT, Judgement

CLASS_HEADER = ("expression", "precision", "recall", "F1", "images")
CONFUSION_HEADER = ("true", "answered", "confident mistakes", "all mistakes")
CLUSTERS = 3


def percent(share: float | None) -> str:
    """Write a share of 0..1 in percent, and a dash for none."""
    return "-" if share is None else f"{100 * share:.1f} %"


def measures(judgement: Judgement) -> list[tuple[str, str]]:
    """Give name and value of each measure over all classes."""
    rows = [("accuracy", str(judgement.accuracy))]
    if judgement.without_leaked is not None:
        rows.append((f"without the {judgement.leaked} images that train has too", str(judgement.without_leaked)))
    elif judgement.leaked is not None:
        rows.append(("images that train has too", f"all {judgement.leaked}"))
    return [
        *rows,
        ("balanced accuracy", percent(judgement.balanced_accuracy)),
        ("macro F1", percent(judgement.macro_f1)),
        ("expected calibration error", percent(judgement.calibration_error)),
        ("negative log-likelihood", f"{judgement.negative_log_likelihood:.3f}"),
    ]


def classes(judgement: Judgement) -> list[tuple[str, str, str, str, str]]:
    """Give a row of `CLASS_HEADER` for each class."""
    return [
        (one.label, percent(one.precision), percent(one.recall), percent(one.f1), f"{one.support:,}")
        for one in judgement.classes
    ]


def clusters(judgement: Judgement) -> list[tuple[str, str, str, str]]:
    """Give a row of `CONFUSION_HEADER` for each of the few confusions with the most confident mistakes."""
    return [
        (one.label, one.predicted, f"{one.confident:,}", f"{one.images:,}")
        for one in judgement.confusions[:CLUSTERS]
        if one.confident
    ]


def mistakes(judgement: Judgement) -> str:
    """Say in a sentence how many mistakes there are, and how many of them confident."""
    wrong = sum(one.images for one in judgement.confusions)
    confident = sum(one.confident for one in judgement.confusions)
    return f"{confident:,} of {wrong:,} mistakes are made with a probability of {100 * CONFIDENT:.0f} % or more."


def as_text(judgement: Judgement) -> str:
    """Write what a terminal shows."""
    parts = [
        tabulate(measures(judgement), tablefmt="plain", disable_numparse=True),
        _table(classes(judgement), CLASS_HEADER, "lrrrr"),
        mistakes(judgement),
    ]
    if rows := clusters(judgement):
        parts[-1] += " Most often:\n" + _table(rows, CONFUSION_HEADER, "llrr")
    return "\n\n".join(parts)


def _table(rows: Sequence[Sequence[str]], header: Sequence[str], align: str) -> str:
    sides = ["left" if side == "l" else "right" for side in align]
    return tabulate(rows, headers=header, colalign=sides, disable_numparse=True)
