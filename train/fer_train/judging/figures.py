"""Pictures of a judgement as PNG, drawn without pyplot's global state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fer_edge.preprocessing import Pixels
from fer_edge.reliability import Bin
from fer_train.judging._drawing import BLUE, FAINT, INK, ORANGE, RIGHT, WRONG, Tile, canvas, note, png, points, tiles

COLUMNS = 6
SHOWN = 24
_CELL = 66


def confusion(cells: Sequence[Sequence[int]], names: Sequence[str]) -> bytes:
    """Draw how often each class was called what; the colour is the share of the true class.

    Args:
        cells: Row t, column p: how often class t was called p.
        names: The classes.
    """
    counts = np.asarray(cells, np.int64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side, left, bottom = _CELL * len(names), 50 + 8 * max(map(len, names)), 44 + 5 * max(map(len, names))
    width, height = left + side + 120, bottom + side + 14
    figure = canvas(width, height)
    axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        color = "white" if share > 0.65 else INK
        place: dict[str, Any] = {"ha": "center", "va": "center", "color": color}
        axes.text(column, row - 0.13, f"{counts[row, column]}", fontsize=points(14), **place)
        axes.text(column, row + 0.2, f"{share:.0%}", fontsize=points(11), **place)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelsize=points(13))
    _label(axes, "answered", "true", "")
    beside = figure.add_axes(((left + side + 24) / width, bottom / height, 18 / width, side / height))
    bar = figure.colorbar(image, beside, format=PercentFormatter(1))
    bar.set_label("share of the true class", fontsize=points(13))
    bar.ax.tick_params(labelsize=points(12))
    bar.outline.set_visible(False)
    return png(figure)


def reliability(bins: Sequence[Bin], calibration_error: float) -> bytes:
    """Draw accuracy against confidence, and how many answers have which confidence.

    Args:
        bins: Of equal width, in order.
        calibration_error: 0..1, told in the title.
    """
    figure = canvas(640, 620)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [one for one in bins if one.accuracy is not None]
    middles, width = [(one.low + one.high) / 2 for one in filled], 0.92 / len(bins)
    upper.bar(middles, [one.accuracy or 0 for one in filled], width, color=BLUE, label="share of right answers")
    upper.plot([0, 1], [0, 1], ls="--", lw=points(2), color=INK, label="as right as confident")
    means = [one.confidence or 0 for one in filled]
    dots: dict[str, Any] = {"ms": points(7), "mec": "white", "color": ORANGE, "clip_on": False}
    upper.plot(means, [one.accuracy or 0 for one in filled], "o", label="at their mean confidence", **dots)
    upper.set(xlim=(0, 1), ylim=(0, 1))
    upper.legend(loc="upper left", fontsize=points(13), frameon=False)
    lower.bar(middles, [one.images for one in filled], width, color=FAINT)
    for axes in (upper, lower):
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    upper.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    lower.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    _label(upper, "", "accuracy", f"expected calibration error {calibration_error:.1%}")
    _label(lower, "confidence: probability of the answer", "images", "")
    figure.set_layout_engine("constrained")
    return png(figure)


def curves(epochs: Sequence[Mapping[str, float]]) -> bytes:
    """Draw loss and accuracy over the epochs, and mark the one with the highest accuracy on the selection split.

    Args:
        epochs: Metrics by name, an entry an epoch; of loss, accuracy, val_loss and val_accuracy what there is.
    """
    figure = canvas(920, 380)
    best = int(np.argmax([epoch.get("val_accuracy", 0.0) for epoch in epochs]))
    for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for name, what, color in ((metric, "training", BLUE), (f"val_{metric}", "validation", ORANGE)):
            course = [(number, epoch[name]) for number, epoch in enumerate(epochs, start=1) if name in epoch]
            if course:
                axes.plot(*zip(*course, strict=True), "o-", ms=points(5), lw=points(2.5), color=color, label=what)
        axes.axvline(best + 1, ls=":", lw=points(2), color=INK, label=f"best: epoch {best + 1}", zorder=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.legend(fontsize=points(13), frameon=False)
        if metric == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        _label(axes, "epoch", "", metric)
    figure.set_layout_engine("constrained")
    return png(figure)


def mistakes(
    faces: Sequence[Pixels],
    labels: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
    names: Sequence[str],
    shown: int = SHOWN,
) -> bytes:
    """Draw the wrong answers, the most confident first.

    Args:
        faces: N pictures, [H, W] uint8 each; those shown are taken out, no other.
        labels: [N] true classes.
        probabilities: [N, C], 0..1.
        names: The C classes.
        shown: Pictures at most.
    """
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    if not len(wrong):
        return note("no mistakes")
    chosen = wrong[np.argsort(-confidence[wrong], kind="stable")][:shown]
    return _answers(chosen, faces, labels, probabilities, names)


def predictions(
    faces: Sequence[Pixels],
    labels: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
    names: Sequence[str],
    shown: int = SHOWN,
    seed: int = 1,
) -> bytes:
    """Draw a random sample with its answers, right ones green, wrong ones red; arguments as of `mistakes`."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(labels), min(shown, len(labels)), replace=False)
    return _answers(chosen, faces, labels, probabilities, names)


def faces_grid(rows: Mapping[str, Sequence[Pixels]]) -> bytes:
    """Draw faces in named rows, such as one for each class or each level of augmentation.

    Args:
        rows: Name to pictures, [H, W] uint8 each, at least one in all.
    """
    return tiles([[Tile(face) for face in faces] for faces in rows.values()], names=tuple(rows), gap=8)


def _answers(
    chosen: npt.NDArray[np.int64],
    faces: Sequence[Pixels],
    labels: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
    names: Sequence[str],
) -> bytes:
    found = []
    for number in chosen.tolist():
        truth, answer = int(labels[number]), int(probabilities[number].argmax())
        # The mark says it to who cannot tell the colours apart.
        mark, color = ("✓", RIGHT) if answer == truth else ("✗", WRONG)
        share = f"{mark} {names[answer]} {probabilities[number, answer]:.0%}"
        found.append(Tile(faces[number], (share, f"true: {names[truth]}"), color))
    return tiles([found[start : start + COLUMNS] for start in range(0, len(found), COLUMNS)])


def _label(axes: Axes, x: str, y: str, title: str) -> None:
    axes.set_xlabel(x, fontsize=points(14))
    axes.set_ylabel(y, fontsize=points(14))
    if title:
        axes.set_title(title, fontsize=points(15))
    axes.tick_params(labelsize=points(13))
    axes.spines[["top", "right"]].set_visible(False)
