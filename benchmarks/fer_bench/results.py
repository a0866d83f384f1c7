"""What a measurement found: the content of `fer-bench --json`, whose schema is docs/fer-bench.schema.json."""

from __future__ import annotations

from typing import Literal

import msgspec

from fer_edge.evaluation import Paired
from fer_edge.metadata import Accuracy

# 1 had no intervals; what reads a result refuses another version than this.
FORMAT_VERSION = 2

Verdict = Literal["faster", "slower", "no difference shown"]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its 95 % bootstrap interval; rounds are drawn, since neighbouring samples are alike.

    Attributes:
        value: Of all samples.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """How long a variant takes in units of the reference's time, compared round by round.

    Attributes:
        reference: Title of the reference variant.
        time: Median over the rounds of the ratio of their medians; below 1 is faster.
        verdict: What the interval shows.
    """

    reference: str
    time: Estimate
    verdict: Verdict


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Durations of classifying one face in a frame: cut, resize, quantise, infer, normalise. Milliseconds.

    Attributes:
        rounds_ms: Each sample, by round, in order; none is left out.
        p50: Median.
        p90: Nine of ten samples take no longer (nearest rank).
        p99: Ninety-nine of a hundred.
        maximum: The longest sample.
        faces_per_second: Samples over the sum of their durations.
        ratio: To the reference; None for the reference itself.
    """

    rounds_ms: tuple[tuple[float, ...], ...]
    p50: Estimate
    p90: Estimate
    p99: Estimate
    maximum: float
    faces_per_second: Estimate
    ratio: Ratio | None = None


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What a fresh process needs before the steady state; one value a process. The file lies in the disk cache.

    Attributes:
        load_ms: Reading the file, checking it, making the interpreter.
        first_ms: The first face.
        peak_bytes: Largest resident memory of the process (VmHWM).
        empty_bytes: The same of a process that imports the same packages and loads no model.
    """

    load_ms: tuple[float, ...]
    first_ms: tuple[float, ...]
    peak_bytes: tuple[int, ...]
    empty_bytes: tuple[int, ...]


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a variant costs besides time.

    Attributes:
        bytes: Size of the file.
        gzip_bytes: The same compressed.
        parameters: Weights of the float model.
        multiply_accumulates: Of one inference; convolutions and dense layers.
        arena_bytes: Activations that are alive at once, at most, by the graph and its order.
        cpu_seconds: Processor time of 1,000 faces, all threads.
        joules: Energy of 1,000 faces, of what `energy_meter` covers; None where the board does not tell.
    """

    bytes: int
    gzip_bytes: int
    parameters: int
    multiply_accumulates: int
    arena_bytes: int
    cpu_seconds: float
    joules: float | None = None


class Operator(msgspec.Struct, frozen=True, kw_only=True):
    """One operator of a graph, by cutting the graph behind it.

    Attributes:
        index: Position in the graph, from 0.
        name: Of the operator, such as "CONV_2D".
        output: Name of its output tensor.
        shape: Of its output.
        delegated: Whether XNNPACK runs it in place of the interpreter's own kernel.
        ms: Shortest time of the graph up to and with it less the shortest of the graph before it; never below 0, and 0
            for what is made once of constants.
        multiply_accumulates: Its share of them.
    """

    index: int
    name: str
    output: str
    shape: tuple[int, ...]
    delegated: bool
    ms: float
    multiply_accumulates: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of a graph goes.

    Attributes:
        operators: All, in order.
        delegated: How many XNNPACK runs.
        whole_ms: Shortest inference of the whole graph alone, measured with the cuts.
    """

    operators: tuple[Operator, ...]
    delegated: int
    whole_ms: float


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """How a model does on labelled faces, cut out already.

    Attributes:
        accuracy: With its 95 % Wilson interval.
        balanced_accuracy: Mean recall of the expressions that occur.
        macro_f1: Mean F1 of the expressions that occur.
        recalls: By expression; None where the data has no such face.
        calibration_error: Expected calibration error, 15 bins (Guo et al. 2017), 0..1.
        confusion: Row t, column p: how often label t was called p.
        predicted: Number of the most probable label of each face.
    """

    accuracy: Accuracy
    balanced_accuracy: float
    macro_f1: float
    recalls: dict[str, float | None]
    calibration_error: float
    confusion: tuple[tuple[int, ...], ...]
    predicted: tuple[int, ...]


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """A face that a variant names otherwise than its float parent.

    Attributes:
        image: Number of the face in the split, from 0.
        parent: What the parent says.
        variant: What the variant says.
        truth: The label.
    """

    image: int
    parent: str
    variant: str
    truth: str


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """A variant against its float parent on the same faces.

    Attributes:
        parent: Title of the float parent.
        flips: Faces with another label.
        total: Faces.
        low: Lower end of the 95 % Wilson interval of `flips / total`.
        high: Its upper end.
        paired: Accuracy of both, McNemar's test.
        felt: Flips between happy and angry: what a user notices.
    """

    parent: str
    flips: int
    total: int
    low: float
    high: float
    paired: Paired
    felt: tuple[Flip, ...]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One variant: a model file with an interpreter and a number of threads.

    Attributes:
        title: Short and unique in the result, such as "mine-int8" or "mine-int8, 2 threads".
        file: Path as given.
        sha256: Of the file.
        model: Name in its metadata; the file's stem where it has none.
        recipe: How it was converted; "" where unknown.
        runtime: Interpreter with its version; "" where none took it.
        threads: Of the interpreter.
        failures: What could not be measured, and why; empty where all could.
        latency: Steady state.
        start: Fresh processes.
        cost: Size, work, energy.
        profile: By operator.
        judgement: On the data given.
        agreement: With the float parent on the data given.
    """

    title: str
    file: str
    sha256: str
    model: str
    recipe: str
    runtime: str
    threads: int
    failures: tuple[str, ...] = ()
    latency: Latency | None = None
    start: Start | None = None
    cost: Cost | None = None
    profile: Profile | None = None
    judgement: Judgement | None = None
    agreement: Agreement | None = None


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The board at one moment; None for what it does not tell.

    Attributes:
        temperature: Of the processor, degrees Celsius.
        throttled: What the firmware says is wrong now or was since boot, such as "under-voltage now"; None without
            such firmware.
        megahertz: Of each processor.
        governor: What chooses the frequency; "mixed" where processors differ.
        arithmetic_us: What a fixed calculation takes, microseconds; see `fer_bench.speed`.
        memory_us: What reading 16 MB takes, microseconds.
    """

    temperature: float | None
    throttled: tuple[str, ...] | None
    megahertz: tuple[float, ...] | None
    governor: str | None
    arithmetic_us: float | None = None
    memory_us: float | None = None


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What the figures depend on besides the models.

    Attributes:
        board: Raspberry Pi's own name, or "".
        processor: Its name and architecture.
        processors: How many this process may use.
        pinned: Whether those are fewer than the machine has.
        system: Kernel.
        versions: Packages and Python.
        before: The board when the measuring began.
        after: And when it ended.
        others: Processor time of other processes while it was measured, in processors (1.0 is one kept busy);
            None where it is not known.
        problems: Why the figures are not to be trusted; empty where they are.
        slowness: Of each round of the latency: how many times as long as at best fixed work took when it began.
        waited_s: How long was waited for an undisturbed machine, seconds.
    """

    board: str
    processor: str
    processors: int
    pinned: bool
    system: str
    versions: dict[str, str]
    before: State
    after: State
    others: float | None
    problems: tuple[str, ...]
    slowness: tuple[float, ...] = ()
    waited_s: float = 0.0


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a loop, milliseconds a frame.

    Attributes:
        p50: Median.
        p90: See `Latency`.
        p99: See `Latency`.
        maximum: The longest.
    """

    p50: float
    p90: float
    p99: float
    maximum: float


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """What a loop takes for a frame without fetching it, as shares of the search that `Loops.search_ms` tells.

    Attributes:
        p50: Median frame.
        mean: Of all frames.
        p99: See `Latency`.
    """

    p50: float
    mean: float
    p99: float


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """A whole loop from frame to expressions.

    Attributes:
        name: Which loop.
        what: What it does, in a line.
        frames: Processed.
        faces: In them, all together.
        dropped: Overwritten frames of a live source while this loop had its turns.
        frames_per_second: Frames over the sum of their totals.
        stages: By name: capture, detect, classify, total, age.
        of_search: Beside one search of a whole picture.
        ratio: Of the totals to those of the first loop, frame by frame; None for the first.
    """

    name: str
    what: str
    frames: int
    faces: int
    dropped: int
    frames_per_second: float
    stages: dict[str, Stage]
    of_search: Shares
    ratio: Ratio | None = None


class Loops(msgspec.Struct, frozen=True, kw_only=True):
    """The loops on one source.

    Attributes:
        source: As given.
        model: Title of the variant that classifies.
        size: Width and height of the frames, pixels.
        search_ms: Median search of a whole picture by the loop "full-frame", milliseconds.
        loops: The product's first.
    """

    source: str
    model: str
    size: tuple[int, int]
    search_ms: float
    loops: tuple[Loop, ...]


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """The labelled faces.

    Attributes:
        name: Of the data, such as "FER2013".
        split: Of it.
        sha256: Fingerprint of its pixels and labels.
        images: How many.
        labels: Expressions in the order of the models' output.
        truth: Number of the label of each face.
    """

    name: str
    split: str
    sha256: str
    images: int
    labels: tuple[str, ...]
    truth: tuple[int, ...]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How it was measured.

    Attributes:
        runs: Timed faces of each variant, at least.
        seconds: Timed time of each variant, at least.
        rounds: Turns of each variant.
        processes: Fresh processes of each variant.
        seed: Of the order of turns and of the bootstrap.
        quick: Whether it was cut short.
    """

    runs: int
    seconds: float
    rounds: int
    processes: int
    seed: int
    quick: bool


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """All of it.

    Attributes:
        format_version: Of this JSON.
        time: When it began, UTC, ISO 8601.
        settings: How it was measured.
        conditions: Where.
        energy_meter: What the energy covers; None without a meter.
        data: Labelled faces; None without.
        rows: The variants.
        loops: The whole loops; None without.
    """

    format_version: int
    time: str
    settings: Settings
    conditions: Conditions
    energy_meter: str | None
    data: Data | None
    rows: tuple[Row, ...]
    loops: Loops | None
