"""A whole measurement: every variant, everything that was asked for; what fails keeps its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime

from fer_bench import accuracy, latency, loops, operators, robustness, start, variants
from fer_bench.conditions import Watch
from fer_bench.energy import open_meter
from fer_bench.plan import Log, Plan, Progress
from fer_bench.results import FORMAT_VERSION, Loops, Profile, Result
from fer_bench.speed import Pace
from fer_bench.variants import Variant
from fer_edge.classifier import Classifier
from fer_edge.errors import FerError


def measure(plan: Plan, progress: Progress, complain: Callable[[str], object]) -> tuple[Result, list[str]]:
    """Measure.

    Args:
        plan: What and how.
        progress: Shows how far it is.
        complain: Takes a line for each thing that cannot be measured, as soon as that is known.

    Returns:
        The result, and what could not be measured, a line each.
    """
    began = datetime.now(UTC).isoformat(timespec="seconds")
    log = Log(complain)
    found = variants.load(plan.paths, plan.runtimes, plan.threads)
    for variant in found:
        for failure in variant.failures:
            log.note(f"{variant.title}: {failure}")
    ready = [variant for variant in found if variant.classifier is not None]
    # What may be wrong comes before what takes long.
    labelled = accuracy.read(plan, found, log)
    parent = accuracy.given_parent(plan, log) if labelled else None
    watch = Watch()
    meter, pace = _latency(plan, ready, progress) if ready else (None, None)
    if plan.processes:
        _start(plan, ready, log, progress)
    if plan.profile_seconds:
        _profile(plan, ready, log, progress)
    whole = _loops(plan, ready[0], log, progress) if plan.loop and ready else None
    conditions = watch.finish(max(plan.threads), pace)
    if labelled:
        accuracy.judge(plan, ready, parent, labelled, log, progress)
        if plan.robustness:
            robustness.judge(plan, ready, labelled, log, progress)
    result = Result(
        format_version=FORMAT_VERSION,
        time=began,
        settings=plan.settings,
        conditions=conditions,
        energy_meter=meter,
        data=labelled.data if labelled else None,
        rows=tuple(variant.row() for variant in found),
        loops=whole,
    )
    return result, log.failures


def _latency(plan: Plan, ready: Sequence[Variant], progress: Progress) -> tuple[str | None, Pace]:
    """Measure latency and, where there is a meter, energy; give the meter's name and how fast the machine was."""
    prepared = latency.Prepared([variant.load for variant in ready], plan.effort)
    with progress("latency", prepared.runs) as step:
        samples = prepared.measure(plan.seed, step)
    summaries = latency.summarize(samples, [variant.title for variant in ready], 0, plan.seed)
    for variant, mine, summary in zip(ready, samples, summaries, strict=True):
        variant.samples, variant.latency = mine, summary
    meter = open_meter() if plan.energy_seconds else None
    if meter is None:
        return None, prepared.pace
    with closing(meter), progress("energy", latency.ENERGY_TURNS * len(ready)) as step:
        spent = prepared.joules(meter, plan.seed, plan.energy_seconds, step)
    for variant, joules in zip(ready, spent, strict=True):
        variant.joules = joules
    return meter.name, prepared.pace


def _start(plan: Plan, ready: Sequence[Variant], log: Log, progress: Progress) -> None:
    tasks = [(variant.path, variant.runtime, variant.threads) for variant in ready]
    with progress("start", plan.processes * len(tasks)) as step:
        found = start.measure(tasks, plan.processes, step)
    for variant, one in zip(ready, found, strict=True):
        if isinstance(one, FerError):
            log.fail(variant, str(one))
        else:
            variant.start = one


def _profile(plan: Plan, ready: Sequence[Variant], log: Log, progress: Progress) -> None:
    """Profile each file once for each interpreter, by its first number of threads."""
    found: dict[object, Profile | None] = {}
    with progress("operators", operators.STEPS * len({variant.kernel for variant in ready})) as step:
        for variant in ready:
            if variant.kernel not in found:
                try:
                    found[variant.kernel] = operators.profile(
                        variant.content,
                        threads=variant.threads,
                        runtime=variant.runtime,
                        seconds=plan.profile_seconds,
                        seed=plan.seed,
                        step=step,
                    )
                except FerError as error:
                    found[variant.kernel] = None
                    log.fail(variant, f"operators: {error}")
            variant.profile = found[variant.kernel]


def _loops(plan: Plan, variant: Variant, log: Log, progress: Progress) -> Loops | None:
    assert plan.loop is not None
    assert variant.classifier is not None
    frames = plan.loop_frames
    try:
        naive = None
        if plan.naive_model is not None:
            naive = Classifier.load(plan.naive_model, threads=variant.threads, runtime=variant.runtime)
        with progress("loops", frames) as step:
            return loops.measure(
                plan.loop,
                variant.classifier,
                variant.title,
                naive,
                frames=frames,
                seconds=0.0,
                seed=plan.seed,
                step=step,
            )
    except FerError as error:
        log.note(f"loop: {error}")
        return None
