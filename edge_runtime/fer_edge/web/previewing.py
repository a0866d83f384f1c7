"""The page beside the loop of `fer-edge run`."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from fer_edge.command import warn
from fer_edge.detectors import Detector, open_detector
from fer_edge.errors import FerError
from fer_edge.metadata import ModelMetadata
from fer_edge.settings import Settings
from fer_edge.sinks import Outputs
from fer_edge.sinks._losses import Losses
from fer_edge.sinks._outputs import Direct
from fer_edge.web.address import Address
from fer_edge.web.application import Site
from fer_edge.web.inference import Inference, Stages
from fer_edge.web.newest import Newest
from fer_edge.web.opening import open_server
from fer_edge.web.shots import Shots
from fer_edge.web.state import About

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from fer_edge.classifier import Classifier
    from fer_edge.supervision.choosing import Chosen


class Page:
    """Shows a run; a context manager.

    Attributes:
        server: That answers.
    """

    def __init__(self, settings: Settings, source: str, model: Callable[[], Chosen | None]) -> None:
        """Serve nothing yet.

        Args:
            settings: Of everything.
            source: Its name, for people.
            model: Gives the one in use; None while it is being loaded.

        Raises:
            UsageError: The address is none, or the token cannot be used.
            FerError: The token cannot be read.
        """

        def metadata() -> ModelMetadata | None:
            chosen = model()
            return None if chosen is None else chosen.classifier.metadata

        self._newest = Newest()
        self._registry: CollectorRegistry | None = None
        about = About("preview", source, metadata)
        shots = Shots(self._newest, about, settings.preview)
        # One picture at a time, by what is made for them: those of the loop are the loop's.
        inference = Inference(_Own(settings, model).stages, settings.loop, single=1)
        site = Site(about, settings.preview, shots, inference, self._newest, registry=lambda: self._registry)
        self.server = open_server(site, Address.parse(settings.preview.address))

    def __enter__(self) -> Self:
        """Listen. Raises what `Server.__enter__` does."""
        self.server.__enter__()
        # Otherwise done at the first frame, which a camera may keep waiting for while clients come and go.
        gc.enable()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave all who watch, and let go of the picture."""
        self.server.__exit__()
        self._newest.__exit__()

    def join(self, outputs: Outputs) -> None:
        """Take the results as one more output, within the loop: that only hands over references."""
        for sink in outputs.sinks:
            self._registry = getattr(sink, "registry", self._registry)
        outputs.add(Direct(self._newest, Losses("preview", warn)))

    def end(self) -> None:
        """Begin to end, without waiting."""
        self.server.end()


class _Own:
    """Detector and model for the pictures that clients send, made when the first one comes."""

    def __init__(self, settings: Settings, model: Callable[[], Chosen | None]) -> None:
        self._settings, self._model = settings, model
        self._detector: Detector | None = None
        self._classifier: Classifier | None = None
        self._path: Path | None = None

    def stages(self) -> Stages:
        """Give them; the model anew where the loop has taken over another one."""
        chosen = self._model()
        if chosen is None or chosen.path is None:
            raise FerError("the model is still being loaded: try again")
        if self._detector is None:
            self._detector = open_detector(self._settings.detector.name, self._settings.detector)
        if self._classifier is None or (self._path, self._classifier.metadata) != (
            chosen.path,
            chosen.classifier.metadata,
        ):
            from fer_edge.classifier import Classifier

            settings = self._settings.model
            runtime = None if settings.runtime == "auto" else settings.runtime
            self._classifier, self._path = (
                Classifier.load(chosen.path, threads=1, runtime=runtime, portable=settings.portable),
                chosen.path,
            )
        return Stages(self._detector, self._classifier)
