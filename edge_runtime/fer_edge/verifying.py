"""Make a model's self-test where it is written, and run it where it is used.

What is expected is stored as LiteRT's portable kernels give it. An interpreter's default kernels, with which the device
runs, and the portable ones of ARM round otherwise: they are held to it by a wider tolerance, and all to the labels. A
tolerance is at least twice the largest difference of a probability that was seen over 60 made faces (6 to 24 on
aarch64) through the shipped model and every recipe of a MobileNetV2 and of a plain convolutional network. One thread or
two never made a difference.

    activations    portable, x86-64    portable, aarch64    default, x86-64    default, aarch64
    float32        0.000002            0.000002             0.000002           0.000002
    int16          0.0002              0.0001               0.0002             0.0001
    int8           0                   0.062                0.070              0.062
    dynamic        0.034               0.030                0.052              0.037

(LiteRT 2.3 and tflite-runtime 2.14 on x86-64; LiteRT 2.1 and tflite-runtime 2.14 on aarch64, emulated as Cortex-A53,
A72 and A76. TensorFlow 2.13 agrees with the first two; 2.12, which nothing of ours installs, rounds otherwise.) The
deeper the network, the more that moves. "dynamic" stands for activations that are rounded as they come: a last bit
before decides on a whole step.

So every device finds what matters: a wrong scale, labels in another order, kernels that compute something else. (LiteRT
2.1's default kernels on an emulated processor with 8-bit matrix instructions were off by 0.97.) On x86-64, where int8
is exact, some hundred changed weights among a million show. No test finds the one bit that moves nothing: that is for
the file's checksum.
"""

from __future__ import annotations

import platform
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from fer_edge.board import read_text
from fer_edge.classifier import Classifier
from fer_edge.metadata import ModelMetadata
from fer_edge.self_test import Case, SelfTest, face

# Where the portable kernels of all interpreters give the same.
_AGREEING = ("x86_64",)
_CPUINFO = Path("/proc/cpuinfo")
_CASES = 8
_CANDIDATES, _MOST_CANDIDATES = 32, 256
# A lead in this range leaves the label to no rounding, and leaves room for damage to show.
_CLEAR = (0.3, 0.8)


@dataclass(frozen=True)
class Tolerance:
    """Largest differences of a probability; see `SelfTest`."""

    portable: float
    default: float


TOLERANCES = {
    "float32": Tolerance(0.0001, 0.001),
    "int16": Tolerance(0.001, 0.001),
    "int8": Tolerance(0.002, 0.15),
    "dynamic": Tolerance(0.12, 0.12),
}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a model did on this device.

    Attributes:
        failures: What is wrong, empty where nothing is.
        runtime: Interpreter with its version; None where it did not come to that.
        threads: Of the interpreter.
        tested: Whether a self-test ran; without one the model was loaded and gave probabilities, and that is all.
        portable: Largest difference of a probability with the portable kernels; None without a self-test.
        default: The same with the interpreter's default kernels.
    """

    failures: tuple[str, ...]
    runtime: str | None = None
    threads: int | None = None
    tested: bool = False
    portable: float | None = None
    default: float | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.failures


def make(model: bytes, metadata: ModelMetadata, tolerance: Tolerance) -> SelfTest:
    """Make the self-test of a model, by the installed interpreter.

    Eight of 32 made faces are taken: first those whose label is clear and on which the kernels agree, then the others;
    labels take turns, and of each the surest comes first. While only one label is clear, there are 32 faces more, up to
    256: few models call all of them neutral, but some nearly do.

    Args:
        model: The bytes of a TFLite file.
        metadata: Its description.
        tolerance: Of `TOLERANCES`.

    Raises:
        ModelError: The interpreter does not take the model, or it gives no probabilities.
    """
    classifiers = [Classifier(model, metadata, threads=1, portable=kernels) for kernels in (True, False)]
    answers = np.empty((len(classifiers), 0, len(metadata.labels)))
    while True:
        first = answers.shape[1] + 1
        seeds = range(first, first + _CANDIDATES)
        answers = np.concatenate([answers, [_answers(classifier, seeds) for classifier in classifiers]], axis=1)
        portable, default = answers
        leads, apart = np.array([_lead(row) for row in portable]), np.abs(portable - default).max(axis=1)
        clear = (leads >= _CLEAR[0]) & (leads <= _CLEAR[1]) & (apart <= tolerance.default / 4)
        if len(portable) >= _MOST_CANDIDATES or len(set(portable[clear].argmax(axis=1))) > 1:
            break
    order = sorted(range(len(portable)), key=lambda index: (not clear[index], -leads[index]))
    seen: Counter[int] = Counter()
    turns = {}
    for index in order:
        label = int(portable[index].argmax())
        turns[index] = (not clear[index], seen[label])
        seen[label] += 1
    chosen = sorted(sorted(order, key=turns.__getitem__)[:_CASES])
    cases = [
        Case(seed=index + 1, expected=dict(zip(metadata.labels, map(_short, portable[index]), strict=True)))
        for index in chosen
    ]
    machine = platform.machine()
    return SelfTest(
        cases=tuple(cases),
        portable_machines=(machine,) if machine in _AGREEING else (),
        portable_tolerance=tolerance.portable,
        tolerance=tolerance.default,
    )


def verify(model: bytes, metadata: ModelMetadata, *, threads: int | None = None, runtime: str | None = None) -> Verdict:
    """Run a model's self-test by an interpreter of this device.

    Args:
        model: The bytes of a TFLite file.
        metadata: Its description.
        threads: See `Interpreter`.
        runtime: See `Interpreter`.

    Raises:
        ModelError: The interpreter is too old for the model or does not take it, or it gives no probabilities.
        FerError: No interpreter can be imported.
    """
    test = metadata.self_test
    largest: dict[str, float] = {}
    failures = []
    for name, portable in (("portable", True), ("default", False)):
        classifier = Classifier(model, metadata, threads=threads, runtime=runtime, portable=portable)
        if test is None:
            _answers(classifier, range(1, 2))
            continue
        given = _answers(classifier, [case.seed for case in test.cases])
        expected = np.array([[case.expected[label] for label in metadata.labels] for case in test.cases])
        difference = largest[name] = float(np.abs(given - expected).max())
        strict = portable and platform.machine() in test.portable_machines and _has_what_it_takes()
        allowed = test.portable_tolerance if strict else test.tolerance
        if difference > allowed:
            failures.append(f"the {name} kernels differ by {difference:.4f} where {allowed:g} is allowed")
        # Where two labels are within the tolerance of each other, either is right.
        sure = np.array([_lead(row) > allowed for row in expected])
        if wrong := int(np.count_nonzero(sure & (given.argmax(axis=1) != expected.argmax(axis=1)))):
            failures.append(f"the {name} kernels name another label for {wrong} of {len(expected)} faces")
    used = classifier.interpreter
    return Verdict(
        failures=tuple(failures),
        runtime=f"{used.runtime.name} {used.runtime.version}",
        threads=used.threads,
        tested=test is not None,
        portable=largest.get("portable"),
        default=largest.get("default"),
    )


def _has_what_it_takes() -> bool:
    """Tell whether the processor is one of those that the exact answers come from: not an x86-64 without AVX2.

    On an emulated Nehalem, LiteRT 2.3's portable kernels were off by 0.044.
    """
    if platform.machine() != "x86_64":
        return True
    return bool(re.search(r"^flags\s*:.*\bavx2\b", read_text(_CPUINFO) or "", re.MULTILINE))


def _answers(classifier: Classifier, seeds: range | list[int]) -> npt.NDArray[np.float64]:
    """Give the probabilities for made faces: [seeds, labels]."""
    spec = classifier.metadata.input
    # At the input's own size: what OpenCV makes of a picture is not the model's to prove.
    rows = [classifier.probabilities(face(seed, spec.height, spec.width)) for seed in seeds]
    return np.stack(rows).astype(np.float64)


def _lead(row: npt.NDArray[np.float64]) -> float:
    second, first = np.sort(row)[-2:]
    return float(first - second)


def _short(probability: float) -> float:
    return round(float(probability), 6)
