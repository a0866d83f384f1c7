"""The variants on labelled faces: read once, judged each, compared with their float parents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fer_bench import judging, variants
from fer_bench.judging import Labelled
from fer_bench.plan import NO_PARENT, Log, Plan, Progress
from fer_bench.variants import Variant
from fer_edge.errors import FerError


def read(plan: Plan, found: Sequence[Variant], log: Log) -> Labelled | None:
    """Read the faces for the labels of the first variant that is ready; None where there are none."""
    metadata = next((variant.metadata for variant in found if variant.classifier), None)
    if plan.data is None or metadata is None:
        return None
    try:
        labelled = judging.read(plan.data, plan.split, metadata.labels)
    except FerError as error:
        log.note(f"accuracy: {error}")
        for variant in found:
            variant.failures.append(f"accuracy: {error}")
        return None
    for reason in labelled.skipped:
        log.complain(f"skipped: {reason}")
    if labelled.missing:
        lacking, data = ", ".join(labelled.missing), labelled.data
        log.note(f"accuracy: {data.split} of {data.name} has no face of {lacking}: no recall of it")
    return labelled


def given_parent(plan: Plan, log: Log) -> Variant | None:
    """Load the float parent that was named, if one was."""
    if plan.parent in (None, NO_PARENT):
        return None
    (parent,) = variants.load([Path(str(plan.parent))], plan.runtimes[:1], plan.threads[:1])
    for failure in parent.failures:
        log.note(f"float parent: {failure}")
    return parent


def judge(
    plan: Plan, ready: Sequence[Variant], parent: Variant | None, labelled: Labelled, log: Log, progress: Progress
) -> None:
    """Judge variants and let them keep what was found.

    Args:
        plan: Tells whether there are float parents.
        ready: The variants that could be loaded.
        parent: The float parent that was named; None to look for one among the variants.
        labelled: The faces.
        log: Takes what fails.
        progress: Shows how far it is.
    """
    chosen = [*ready, *([parent] if parent and parent.classifier else [])]
    kernels = {variant.kernel for variant in chosen}
    judged: dict[object, Variant] = {}
    with progress("accuracy", labelled.data.images * len(kernels)) as step:
        for variant in chosen:
            if variant.kernel in judged:
                variant.judgement = judged[variant.kernel].judgement
                continue
            judged[variant.kernel] = variant
            assert variant.classifier is not None
            try:
                variant.judgement = judging.judge(variant.classifier, labelled, step)
            except FerError as error:
                log.fail(variant, f"accuracy: {error}")
    if plan.parent is None or (plan.parent != NO_PARENT and parent and parent.judgement):
        _compare(ready, parent, labelled, log)


def _compare(ready: Sequence[Variant], parent: Variant | None, labelled: Labelled, log: Log) -> None:
    for variant in ready:
        if variant.judgement is None or variant.metadata is None or variant.metadata.recipe == judging.FLOAT:
            continue
        try:
            theirs = parent or judging.parent_of(variant.metadata, ready)
        except FerError as error:
            log.fail(variant, f"agreement: {error}")
            continue
        if theirs.judgement is not None:
            variant.agreement = judging.agree(theirs.title, theirs.judgement, variant.judgement, labelled.data)
