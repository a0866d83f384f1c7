"""A result of `fer-bench` with everything in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_bench import results, statistics
from fer_bench.corruptions import CORRUPTIONS
from fer_bench.results import Cost, Estimate, Latency, Operator, Profile, Result, Row, Start, State
from fer_bench.robustness import summarize
from fer_edge import evaluation
from fer_edge.labels import EXPRESSIONS

FACES = 3589
SHARES = (0.13, 0.016, 0.138, 0.249, 0.182, 0.116, 0.169)
ROUNDS, A_ROUND = 32, 33
# A name of a file may be anything.
NASTY = "<b>mine</b> & $x_1$ \x1b[31m 幸せ 'x' \"y\""
# A page of everything has these drawings: two fronts and the ratios; two of latencies; recalls and, 3 and 4 being the
# same file, five confusion matrices; start and memory; a graph for each variant with one thread; two of loops.
DRAWINGS = 3 + 2 + 6 + 2 + 5 + 2


def answers(truth: Any, right: float, seed: int) -> Any:
    """Give answers that are right so often; the wrong ones lean towards the expression before."""
    random = np.random.default_rng(seed)
    wrong = np.where(random.random(len(truth)) < 0.4, (truth - 1) % 7, random.integers(0, 7, len(truth)))
    return np.where(random.random(len(truth)) < right, truth, wrong)


def latency(median: float, reference: Latency | None, title: str, seed: int) -> Latency:
    random = np.random.default_rng(seed)
    # A drift that hits all alike, and now and then a sample that something else delays.
    drift = 1 + 0.05 * np.sin(np.arange(ROUNDS))[:, None]
    samples = median * drift * (1 + random.gamma(1.5, 0.03, (ROUNDS, A_ROUND)))
    samples *= np.where(random.random(samples.shape) < 0.004, random.uniform(2, 20, samples.shape), 1)
    rounds = tuple(map(tuple, samples.tolist()))
    p50, p90, p99 = statistics.percentiles(rounds, (50, 90, 99), 1)
    ratio = None
    if reference is not None:
        theirs = np.array([np.median(one) for one in reference.rounds_ms])
        ratio = statistics.ratio(np.median(samples, axis=1), theirs, title, 1)
    return Latency(
        rounds_ms=rounds,
        p50=p50,
        p90=p90,
        p99=p99,
        maximum=float(samples.max()),
        faces_per_second=statistics.per_second(rounds, 1),
        ratio=ratio,
    )


def profile(whole_ms: float, own: int, seed: int) -> Profile:
    """Give a network of 64 layers; every so-many-th runs in the interpreter's own kernel."""
    random = np.random.default_rng(seed)
    times = random.dirichlet(np.full(64, 0.6)) * whole_ms
    times[-1] = -0.002
    operators = tuple(
        Operator(
            index=number,
            name="DEPTHWISE_CONV_2D" if number % 3 == 1 else "CONV_2D",
            output=f"block_{number // 3}/expand_relu/Relu6;block_{number // 3}/expand_bn",
            shape=(1, 48 >> (number // 13), 48 >> (number // 13), 16 << (number // 13)),
            delegated=not own or number % own != 0,
            ms=float(ms),
            multiply_accumulates=int(1e6 * random.random()),
        )
        for number, ms in enumerate(times)
    )
    return Profile(operators=operators, delegated=sum(one.delegated for one in operators), whole_ms=whole_ms)


def judgement(truth: Any, predicted: Any) -> results.Judgement:
    recalls = evaluation.recalls(predicted, truth, EXPRESSIONS)
    confusion = evaluation.confusion(predicted, truth, 7)
    return results.Judgement(
        accuracy=evaluation.accuracy("public", predicted, truth),
        balanced_accuracy=float(np.mean([one for one in recalls.values() if one is not None])),
        macro_f1=evaluation.macro_f1(confusion),
        recalls=recalls,
        calibration_error=0.043,
        confusion=confusion,
        predicted=tuple(predicted.tolist()),
    )


def agreement(truth: Any, parent: Any, mine: Any, title: str) -> results.Agreement:
    flips = np.flatnonzero(parent != mine).tolist()
    low, high = evaluation.wilson_interval(len(flips), len(truth))
    felt = tuple(
        results.Flip(
            image=at, parent=EXPRESSIONS[parent[at]], variant=EXPRESSIONS[mine[at]], truth=EXPRESSIONS[truth[at]]
        )
        for at in flips
        if {int(parent[at]), int(mine[at])} == {0, 3}
    )
    paired = evaluation.paired(parent == truth, mine == truth)
    return results.Agreement(
        parent=title, flips=len(flips), total=len(truth), low=low, high=high, paired=paired, felt=felt
    )


def robustness(truth: Any, mine: Any, seed: int) -> results.Robustness:
    """Let each corruption change one of eight answers."""
    random = np.random.default_rng(seed)
    corrupted = [np.where(random.random(FACES) < 0.125, answers(truth, 0.3, seed), mine) for _ in CORRUPTIONS]
    return summarize(np.stack([mine, *corrupted]) == truth, "public", 1)


def rows(truth: Any) -> tuple[Row, ...]:
    """Give six variants that were measured and one that was not; two threads answer as one does."""
    variants = [
        ("mobilenetv2-96-fp32", "fp32", 1, 1.75, 9_554_135, 0.0),
        ("mobilenetv2-96-fp16", "fp16", 1, 1.76, 4_813_702, 0.001),
        ("mobilenetv2-96-int8", "int8", 1, 0.81, 2_643_754, 0.02),
        ("mobilenetv2-96-int8, 2 threads", "int8", 2, 0.52, 2_643_754, 0.02),
        ("mobilenetv2-96-qat-int8-pruned-2of4, tflite-runtime", "int8", 1, 6.4, 2_643_754, 0.03),
        (NASTY, "", 1, 0.33, 1_200_000, 0.2),
    ]
    parent = answers(truth, 0.64, 1)
    reference: Latency | None = None
    made = []
    for number, (title, recipe, threads, median, size, changed) in enumerate(variants):
        random = np.random.default_rng(size + round(1e4 * changed))
        mine = np.where(random.random(FACES) < changed, answers(truth, 0.55, size), parent)
        steady = latency(median, reference, variants[0][0], number)
        reference = reference or steady
        start = Start(
            load_ms=(12 * size / 1e6, 12.8 * size / 1e6, 11.7 * size / 1e6),
            first_ms=(median * 3, median * 3.3, median * 3.1),
            peak_bytes=(48_000_000 + 2 * size, 48_400_000 + 2 * size, 48_100_000 + 2 * size),
            empty_bytes=(45_100_000, 45_000_000, 45_200_000),
        )
        cost = Cost(
            bytes=size,
            gzip_bytes=round(0.9 * size),
            parameters=2_430_663,
            multiply_accumulates=56_000_000,
            arena_bytes=800_000,
            cpu_seconds=median * threads * 1.02,
            joules=median * 4.1,
        )
        made.append(
            Row(
                title=title,
                file=f"models/{title.partition(',')[0]}.tflite",
                sha256=f"{number}" * 64,
                model=title.partition(",")[0],
                recipe=recipe,
                runtime="tflite-runtime 2.14.0" if "tflite-runtime" in title else "litert 2.3.0",
                threads=threads,
                failures=() if recipe else ("its float parent is not among the models: name the fp32 file as well",),
                latency=steady,
                start=start,
                cost=cost,
                profile=profile(0.9 * median, {4: 1, 2: 9}.get(number, 0), number) if threads == 1 else None,
                judgement=judgement(truth, mine),
                agreement=agreement(truth, parent, mine, variants[0][0]) if recipe and number else None,
                robustness=robustness(truth, mine, size),
            )
        )
    failed = Row(
        title="<script>alert(1)</script>",
        file="models/broken.tflite",
        sha256="",
        model="broken",
        recipe="",
        runtime="",
        threads=1,
        failures=("models/broken.tflite holds no model: it begins with <script>alert(2)</script>",),
    )
    return (*made, failed)


def loops(title: str) -> results.Loops:
    def stage(p50: float) -> results.Stage:
        return results.Stage(p50=p50, p90=1.3 * p50, p99=2.1 * p50, maximum=4 * p50)

    made = []
    for name, what, detect in (
        ("fer-edge", "what fer-edge run does", 2.1),
        ("full-frame", "the whole picture searched in every frame, with the same settings", 6.3),
        ("naive", "the whole picture searched in every frame, full size, scale factor 1.1", 36.0),
    ):
        ratio = results.Ratio(
            reference="fer-edge",
            time=Estimate(value=detect / 2.1, low=detect / 2.2, high=detect / 2.0),
            verdict="slower",
        )
        made.append(
            results.Loop(
                name=name,
                what=what,
                frames=300,
                faces=298,
                dropped=0,
                frames_per_second=1000 / (detect + 1.9),
                stages={
                    "capture": stage(0.9),
                    "detect": stage(detect),
                    "classify": stage(0.84),
                    "total": stage(detect + 1.9),
                    "age": stage(detect + 2.0),
                },
                of_search=results.Shares(p50=(detect + 1) / 36, mean=(detect + 1.2) / 36, p99=(detect + 9) / 36),
                ratio=ratio if made else None,
            )
        )
    return results.Loops(source="video:street.mp4", model=title, size=(640, 480), search_ms=36.0, loops=tuple(made))


def example() -> Result:
    """Give a result with everything in it."""
    truth = np.random.default_rng(7).choice(7, FACES, p=SHARES)
    found = rows(truth)
    return Result(
        format_version=results.FORMAT_VERSION,
        time="2026-11-22T07:50:11+00:00",
        settings=results.Settings(runs=1024, seconds=5.0, rounds=ROUNDS, processes=3, seed=1, quick=False),
        conditions=results.Conditions(
            board="Raspberry Pi 5 Model B Rev 1.0",
            processor="Cortex-A76, aarch64",
            processors=4,
            pinned=False,
            system="Linux-6.12.20+rpt-rpi-2712-aarch64",
            versions={"fer-edge": "0.1.0", "python": "3.13.2", "numpy": "2.4.6", "opencv": "4.14.0"},
            before=State(temperature=51.2, throttled=(), megahertz=(2400.0,) * 4, governor="ondemand"),
            after=State(temperature=83.9, throttled=("soft limit now",), megahertz=(1500.0,) * 4, governor="ondemand"),
            others=0.71,
            problems=("the firmware ran the processor slower (soft limit): cool the board",),
        ),
        energy_meter="the board's PMIC rails",
        data=results.Data(
            name="FER2013",
            split="public",
            sha256="ab" * 32,
            images=FACES,
            labels=EXPRESSIONS,
            truth=tuple(truth.tolist()),
        ),
        rows=found,
        loops=loops(found[2].title),
    )
