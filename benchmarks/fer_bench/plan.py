"""What is to be measured, and how."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from fer_bench.latency import Effort
from fer_bench.results import Settings
from fer_bench.variants import Variant

# Shows progress: from a label and a number of steps, something that takes steps while it is entered.
Progress = Callable[[str, int], AbstractContextManager[Callable[[int], object]]]
NO_PARENT = "none"


@dataclass(frozen=True)
class Plan:
    """What to measure and how.

    Attributes:
        paths: Model files.
        runtimes: Names of interpreters; None for the first that is installed.
        threads: Numbers of threads.
        data: Labelled faces; None for no accuracy.
        split: Of the data; None for the one that models are selected on.
        parent: File of the float parent, `NO_PARENT`, or None to look for it among the models.
        loop: Source of the whole loops; None for none.
        naive_model: Model file of the naive loop; None for the first of `paths`.
        effort: Of the latency.
        processes: Fresh processes of each variant; 0 for none.
        profile_seconds: For the operators of each file; 0 for none.
        loop_frames: For each whole loop, at least.
        energy_seconds: Of a turn of each variant; 0 for no energy.
        seed: Of all that is drawn.
        quick: Whether it is cut short.
        robustness: Whether accuracy is measured on corrupted faces too.
    """

    paths: tuple[Path, ...]
    runtimes: tuple[str | None, ...]
    threads: tuple[int, ...]
    data: Path | None
    split: str | None
    parent: str | None
    loop: str | None
    naive_model: Path | None
    effort: Effort
    processes: int
    profile_seconds: float
    loop_frames: int
    energy_seconds: float
    seed: int
    quick: bool
    robustness: bool = False

    @property
    def settings(self) -> Settings:
        """What a result tells of it."""
        return Settings(
            runs=self.effort.runs,
            seconds=self.effort.seconds,
            rounds=self.effort.rounds,
            processes=self.processes,
            seed=self.seed,
            quick=self.quick,
        )


class Log:
    """What could not be measured; each is said as soon as it is known.

    Attributes:
        failures: All, in their order.
    """

    def __init__(self, complain: Callable[[str], object]) -> None:
        """Start empty.

        Args:
            complain: Takes each line.
        """
        self.complain = complain
        self.failures: list[str] = []

    def note(self, failure: str) -> None:
        """Take a failure that belongs to no variant, or to all."""
        self.failures.append(failure)
        self.complain(failure)

    def fail(self, variant: Variant, failure: str) -> None:
        """Take a failure of a variant, which keeps it as well."""
        variant.failures.append(failure)
        self.note(f"{variant.title}: {failure}")
