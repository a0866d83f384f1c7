"""`GET /metrics`: figures for Prometheus, made when somebody asks, so that they cost the loop nothing."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

from aiohttp import web

from fer_edge.board import Board
from fer_edge.sinks import Context
from fer_edge.version import version
from fer_edge.web.guard import problem

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

    from fer_edge.web.application import Site

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def figures_of(site: Site) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Answer with the figures of the output `metrics` where the run has it, else with those that need no counting."""
    own: list[CollectorRegistry] = []

    async def answer(_request: web.Request) -> web.StreamResponse:
        if importlib.util.find_spec("prometheus_client") is None:
            return problem(404, "figures need their extra: pip install 'fer-edge[metrics]'")
        from prometheus_client import generate_latest

        if not own:
            own.append(_registry(site))
        # The board is asked, which may take its time.
        content = await asyncio.to_thread(generate_latest, site.registry() or own[0])
        return web.Response(body=content, headers={"Content-Type": _TYPE})

    return answer


def _registry(site: Site) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, ProcessCollector

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Figures(site))
    return registry


class _Figures:
    """What is known without having counted."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._board = Board()

    def collect(self) -> Iterator[Metric]:
        """Give it, by the names of the output `metrics`."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        from fer_edge.sinks.metrics import Scraped

        about, newest = self._site.about, self._site.newest
        info = GaugeMetricFamily("fer_edge_info", "Always 1; what runs here.", labels=["version"])
        info.add_metric([version()], 1)
        yield info
        frames = CounterMetricFamily("fer_edge_frames", "Frames processed.", labels=["source"])
        frames.add_metric([about.source], self._site.inference.looked if newest is None else newest.frames)
        yield frames
        scraped = Scraped(Context(source=about.source), self._board)
        seen = None if newest is None else newest.seen
        if newest is not None:
            yield GaugeMetricFamily("fer_edge_camera_up", "1, or 0 while a camera is lost.", newest.there)
        if seen is not None:
            yield GaugeMetricFamily("fer_edge_faces_in_view", "Faces in the newest frame.", len(seen.result.faces))
            scraped.saw(seen.result, seen.frame.captured_ns / 1e9)
        yield from scraped.collect()
