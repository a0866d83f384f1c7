"""What a variant costs: time, memory, energy, by operator."""

from __future__ import annotations

import msgspec

from fer_bench.results.figures import Estimate, Ratio


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
