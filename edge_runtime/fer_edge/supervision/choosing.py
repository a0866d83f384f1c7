"""Which model is loaded: a file, the current one of the store, or the shipped one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge.errors import ModelError
from fer_edge.settings import ModelSettings

if TYPE_CHECKING:  # importing these takes as long as the first search
    from fer_edge.classifier import Classifier
    from fer_edge.store import Trial


@dataclass(frozen=True)
class Chosen:
    """A model that is used.

    Attributes:
        classifier: With the model loaded.
        trial: Of an installed model; None for others.
        path: Of its file; None where it has none.
    """

    classifier: Classifier
    trial: Trial | None = None
    path: Path | None = None


def choose(settings: ModelSettings, *, self_test: bool, tell: Callable[[str], object]) -> Chosen:
    """Load the model; where an installed one cannot be used, the last good one.

    Args:
        settings: Which, and how to run it.
        self_test: Whether it must pass its self-test.
        tell: Takes a line for each model that was given up.

    Raises:
        ModelError: It cannot be used, and there is none to fall back on.
        FerError: No interpreter is installed.
    """
    trial = None
    if settings.store and not settings.file:
        from fer_edge.store import Store

        trial = Store(Path(settings.store)).begin()
    while True:
        if trial is not None and trial.notice:
            tell(trial.notice)
        try:
            path = _path(settings, trial)
            return Chosen(_load(path, settings, self_test), trial, path)
        except ModelError as error:
            following = None if trial is None else trial.failed(str(error))
            if following is None:
                raise
            trial = following


def _path(settings: ModelSettings, trial: Trial | None) -> Path:
    from fer_edge.models import shipped_model

    if settings.file:
        return Path(settings.file)
    return shipped_model() if trial is None else trial.path


def _load(path: Path, settings: ModelSettings, self_test: bool) -> Classifier:
    from fer_edge.classifier import Classifier

    threads = settings.threads or None
    runtime = None if settings.runtime == "auto" else settings.runtime
    if self_test:
        from fer_edge.metadata import read_model
        from fer_edge.verifying import verify

        verdict = verify(*read_model(path), threads=threads, runtime=runtime)
        if not verdict.ok:
            raise ModelError(f"{path} fails its self-test: {'; '.join(verdict.failures)}")
    return Classifier.load(path, threads=threads, runtime=runtime, portable=settings.portable)
