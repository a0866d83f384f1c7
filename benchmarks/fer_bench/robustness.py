"""The variants on corrupted faces: how much accuracy a cheap camera and a loose box cost."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from fer_bench import corruptions, statistics
from fer_bench.corruptions import CORRUPTIONS
from fer_bench.judging import Labelled
from fer_bench.plan import Log, Plan, Progress
from fer_bench.results import Against, Corrupted, Robustness
from fer_bench.variants import Variant
from fer_edge import evaluation
from fer_edge.errors import FerError

Right = npt.NDArray[np.bool_]


def judge(plan: Plan, ready: Sequence[Variant], labelled: Labelled, log: Log, progress: Progress) -> None:
    """Judge variants that were judged on clean faces, and let them keep what was found.

    Args:
        plan: Tells the seed.
        ready: The variants; the first one that can be judged is the reference of the others.
        labelled: The faces.
        log: Takes what fails.
        progress: Shows how far it is.
    """
    judged = [variant for variant in ready if variant.judgement is not None]
    right = _right({variant.kernel: variant for variant in reversed(judged)}, plan.seed, labelled, log, progress)
    first: tuple[str, Robustness, Right] | None = None
    for variant in judged:
        if variant.kernel not in right:
            continue
        found = right[variant.kernel]
        robustness = summarize(found, labelled.data.split, plan.seed)
        if first is None:
            first = variant.title, robustness, found
        elif first[1].drop.low > 0:
            ratio = statistics.ratio_of_means(_lost(found), _lost(first[2]), plan.seed)
            robustness = msgspec.structs.replace(robustness, against=Against(reference=first[0], ratio=ratio))
        variant.robustness = robustness


def summarize(right: Right, split: str, seed: int) -> Robustness:
    """Count what corruptions cost.

    Args:
        right: [1 + corruptions, faces] whether each face was named rightly; clean in the first row.
        split: Name of the split that the faces come from.
        seed: Of the draws.
    """
    clean = right[0]
    everything = np.ones(len(clean), np.int64)
    return Robustness(
        clean=evaluation.accuracy(split, clean.astype(np.int64), everything),
        corrupted=tuple(
            Corrupted(
                corruption=corruption.name,
                severity=corruption.severity,
                accuracy=evaluation.accuracy(split, mine.astype(np.int64), everything),
                paired=evaluation.paired(clean, mine),
            )
            for corruption, mine in zip(CORRUPTIONS, right[1:], strict=True)
        ),
        drop=statistics.mean(_lost(right), seed),
    )


def _right(
    chosen: dict[object, Variant], seed: int, labelled: Labelled, log: Log, progress: Progress
) -> dict[object, Right]:
    """Give what each variant names rightly; one that fails is left out."""
    clean, truth = [corruptions.standard(face) for face in labelled.split.faces], labelled.split.labels
    rows: dict[object, list[Right]] = {kernel: [] for kernel in chosen}
    with progress("robust", len(clean) * (1 + len(CORRUPTIONS)) * len(chosen)) as step:
        for corruption in (None, *CORRUPTIONS):
            # One corruption at a time for all variants: the faces of all together would be 150 MB.
            faces = clean if corruption is None else corruptions.corrupt(clean, corruption, seed)
            for kernel, variant in chosen.items():
                if kernel not in rows:
                    continue
                assert variant.classifier is not None
                try:
                    probabilities = evaluation.predict(variant.classifier, faces, lambda: step(1))
                except FerError as error:
                    log.fail(variant, f"robustness: {error}")
                    del rows[kernel]
                    continue
                rows[kernel].append(probabilities.argmax(axis=1) == truth)
    return {kernel: np.stack(found) for kernel, found in rows.items()}


def _lost(right: Right) -> npt.NDArray[np.float64]:
    """Give for each face the share of the corruptions that cost its right answer, less those that bring it: -1..1."""
    lost: npt.NDArray[np.float64] = right[0] - right[1:].mean(axis=0)
    return lost
