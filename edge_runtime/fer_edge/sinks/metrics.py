"""Figures for Prometheus, by HTTP; `docs/output.md` names them."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, Self

import msgspec

from fer_edge.board import CAUSES, Board
from fer_edge.errors import FerError
from fer_edge.settings.outputs import MetricsSettings, OutputSettings
from fer_edge.sinks import Context
from fer_edge.types import Frame, Result, StageTimes
from fer_edge.version import version

if TYPE_CHECKING:
    from prometheus_client import Metric

# Upper ends, seconds: from a stage of a fast machine to a search for faces on a slow one.
_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class MetricsSink:
    """Counts results, and serves the counts.

    Attributes:
        registry: Of the counts.
    """

    pictures: ClassVar[bool] = False
    queued: ClassVar[bool] = True
    interval_s: ClassVar[float] = 0.0

    def __init__(self, settings: MetricsSettings, context: Context, board: Board | None = None) -> None:
        """Start at zero.

        Args:
            settings: Where to listen.
            context: Of the run.
            board: Is asked for temperature and throttling at each scrape.
        """
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

        self._settings = settings
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        Gauge("fer_edge_info", "Always 1; what runs here.", ["version"], registry=registry).labels(version()).set(1)
        self._frames = Counter("fer_edge_frames", "Frames processed.", ["source"], registry=registry).labels(
            context.source
        )
        self._faces = Counter("fer_edge_faces", "Faces in all frames.", ["expression"], registry=registry)
        self._in_view = Gauge("fer_edge_faces_in_view", "Faces in the newest frame.", registry=registry)
        self._camera = Gauge("fer_edge_camera_up", "1, or 0 while a camera is lost.", registry=registry)
        self._camera.set(1)
        self._camera_losses = Counter("fer_edge_camera_losses", "Times that a camera was lost.", registry=registry)
        stages = Histogram(
            "fer_edge_stage_seconds", "What a frame cost.", ["stage"], buckets=_BUCKETS, registry=registry
        )
        self._stages = {name: stages.labels(name) for name in StageTimes.__struct_fields__}
        self._age = Histogram(
            "fer_edge_frame_age_seconds", "From capture to result.", buckets=_BUCKETS, registry=registry
        )
        self._scraped = Scraped(context, board or Board())
        registry.register(self._scraped)

    def __enter__(self) -> Self:
        """Listen.

        Raises:
            FerError: The port is taken, or the address is none of this device.
        """
        from prometheus_client import start_http_server

        host, port = self._settings.host, self._settings.port
        try:
            self._server, self._thread = start_http_server(port, host, self.registry)
        except OSError as error:
            raise FerError(
                f"cannot serve metrics at {host}:{port}: {error.strerror or error}; choose another metrics.port or "
                "metrics.host"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Count one result."""
        self._in_view.set(len(result.faces))
        for face in result.faces:
            self._faces.labels(face.expression).inc()
        for stage, ms in msgspec.structs.asdict(result.ms).items():
            self._stages[stage].observe(ms / 1e3)
        self._age.observe(result.age_ms / 1e3)
        self._scraped.saw(result)
        # Last, so that all is there of a frame that is counted.
        self._frames.inc()

    def camera(self, there: bool) -> None:
        """Take note whether the camera is there."""
        self._camera.set(there)
        if not there:
            self._camera_losses.inc()


class Scraped:
    """What is looked up when somebody asks."""

    def __init__(self, context: Context, board: Board) -> None:
        self._context = context
        self._board = board
        self._dropped = 0
        self._seen_s: float | None = None

    def saw(self, result: Result, seen_s: float | None = None) -> None:
        """Take note of the newest result, and when it was there by `time.monotonic`; None for now."""
        self._dropped, self._seen_s = result.dropped, time.monotonic() if seen_s is None else seen_s

    def collect(self) -> Iterator[Metric]:
        """Give what there is; what the board does not tell is left out."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        dropped = CounterMetricFamily(
            "fer_edge_dropped_frames", "Frames of a camera that nobody took.", labels=["source"]
        )
        dropped.add_metric([self._context.source], self._dropped)
        yield dropped
        lost = CounterMetricFamily("fer_edge_lost_results", "Results that an output has lost.", labels=["output"])
        for output, number in self._context.lost().items():
            lost.add_metric([output], number)
        yield lost
        if self._seen_s is not None:
            yield GaugeMetricFamily(
                "fer_edge_last_frame_seconds",
                "Time since the newest frame was processed.",
                time.monotonic() - self._seen_s,
            )
        if (temperature := self._board.temperature()) is not None:
            yield GaugeMetricFamily("fer_edge_temperature_celsius", "Of the processor.", temperature)
        if (limit := self._board.temperature_limit()) is not None:
            yield GaugeMetricFamily(
                "fer_edge_temperature_limit_celsius", "From here on the processor is slowed down.", limit
            )
        if (throttled := self._board.throttled()) is not None:
            reasons = GaugeMetricFamily(
                "fer_edge_throttled", "Why a Raspberry Pi runs slower than asked, or did.", labels=["cause", "when"]
            )
            for cause in CAUSES:
                for when in ("now", "since boot"):
                    reasons.add_metric([cause, when], f"{cause} {when}" in throttled)
            yield reasons


def create(settings: OutputSettings, context: Context) -> MetricsSink:
    """Make the sink. Raises `FerError` where prometheus-client is not installed."""
    if importlib.util.find_spec("prometheus_client") is None:
        raise FerError("the output metrics needs its extra: pip install 'fer-edge[metrics]'")
    return MetricsSink(settings.metrics, context)
