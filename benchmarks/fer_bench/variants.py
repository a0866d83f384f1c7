"""What is measured: model files, each with an interpreter and a number of threads."""

from __future__ import annotations

import gzip
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fer_bench import operators
from fer_bench.latency import Samples
from fer_bench.results import Agreement, Cost, Judgement, Latency, Profile, Robustness, Row, Start
from fer_edge import files
from fer_edge.classifier import Classifier
from fer_edge.errors import FerError, UsageError
from fer_edge.metadata import ModelMetadata, read_model


@dataclass
class Variant:
    """A model file with an interpreter and a number of threads, or the reason why there is none.

    Attributes:
        path: Of the file.
        runtime: Name of the interpreter to use; None for the first that is installed.
        threads: Of the interpreter.
        title: Short and unique among the variants.
        content: The file's bytes; empty where it cannot be read.
        metadata: What the file says of itself; None where it says nothing.
        classifier: Made ready; None where that failed.
        failures: What failed so far, in the order in which it did.
        samples: What was measured of its latency.
        latency: The figures of it; this and the following are None until measured.
        joules: Energy of a face.
        start: Of fresh processes.
        profile: By operator.
        judgement: On labelled faces.
        agreement: With the float parent.
        robustness: On corrupted faces.
    """

    path: Path
    runtime: str | None
    threads: int
    title: str = ""
    content: bytes = b""
    metadata: ModelMetadata | None = None
    classifier: Classifier | None = None
    failures: list[str] = field(default_factory=list)
    samples: Samples | None = None
    latency: Latency | None = None
    joules: float | None = None
    start: Start | None = None
    profile: Profile | None = None
    judgement: Judgement | None = None
    agreement: Agreement | None = None
    robustness: Robustness | None = None

    @property
    def name(self) -> str:
        """Name of the model, or of the file where the model does not tell."""
        return self.metadata.name if self.metadata else self.path.stem

    @property
    def kernel(self) -> tuple[Path, str | None]:
        """Tell what gives the same answers and has the same graph: the number of threads changes neither."""
        return self.path, self.runtime

    def load(self) -> Classifier:
        """Load it anew, from the bytes that were read at first.

        Raises:
            ModelError: See `Classifier`.
        """
        assert self.metadata is not None
        return Classifier(self.content, self.metadata, threads=self.threads, runtime=self.runtime)

    def row(self) -> Row:
        """Give all that was found of it."""
        runtime = self.classifier.interpreter.runtime if self.classifier else None
        return Row(
            title=self.title,
            file=str(self.path),
            sha256=hashlib.sha256(self.content).hexdigest() if self.content else "",
            model=self.name,
            recipe=self.metadata.recipe if self.metadata else "",
            runtime=f"{runtime.name} {runtime.version}" if runtime else "",
            threads=self.threads,
            failures=tuple(self.failures),
            latency=self.latency,
            start=self.start,
            cost=self._cost(),
            profile=self.profile,
            judgement=self.judgement,
            agreement=self.agreement,
            robustness=self.robustness,
        )

    def _cost(self) -> Cost | None:
        if self.samples is None or self.metadata is None:
            return None
        graph = operators.graph_cost(self.content, runtime=self.runtime)
        return Cost(
            bytes=len(self.content),
            gzip_bytes=len(gzip.compress(self.content, mtime=0)),
            parameters=self.metadata.parameters,
            multiply_accumulates=graph.multiply_accumulates,
            arena_bytes=graph.arena_bytes,
            cpu_seconds=1000 * self.samples.cpu_seconds / self.samples.runs,
            joules=None if self.joules is None else 1000 * self.joules,
        )


def find(paths: Iterable[Path]) -> list[Path]:
    """Give the model files among paths: files as they are, of a folder those that end in `.tflite`, by name.

    Raises:
        UsageError: A folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        if files.kind(path) != "folder":
            found.append(path)
            continue
        inside = sorted(path.glob("*.tflite"))
        if not inside:
            raise UsageError(f"the folder {path} holds no .tflite file")
        found += inside
    return found


def load(paths: Sequence[Path], runtimes: Sequence[str | None], threads: Sequence[int]) -> list[Variant]:
    """Load every combination; one that cannot be keeps its reason, and the others are not hindered."""
    found = [_load(path, runtime, count) for path in paths for runtime in runtimes for count in threads]
    titles = [
        ", ".join(
            [
                variant.name,
                *([variant.runtime] if len(runtimes) > 1 and variant.runtime else []),
                *([_count(variant.threads)] if len(threads) > 1 else []),
            ]
        )
        for variant in found
    ]
    seen: Counter[str] = Counter()
    for variant, title in zip(found, titles, strict=True):
        seen[title] += 1
        variant.title = title if seen[title] == 1 else f"{title} ({seen[title]})"
    return found


def _count(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"


def _load(path: Path, runtime: str | None, threads: int) -> Variant:
    variant = Variant(path, runtime, threads)
    try:
        variant.content = files.read_bytes(path, "model")
        _, variant.metadata = read_model(path)
        variant.classifier = Classifier.load(path, threads=threads, runtime=runtime)
    except FerError as error:
        variant.failures.append(str(error))
    return variant
