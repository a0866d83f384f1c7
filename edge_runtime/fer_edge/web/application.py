"""What is at which path."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from fer_edge.settings.preview import PreviewSettings
from fer_edge.types import BoardState
from fer_edge.web.camera import Cameras
from fer_edge.web.figures import figures_of
from fer_edge.web.guard import HEALTH, Guard, problem
from fer_edge.web.inference import Inference
from fer_edge.web.newest import Newest
from fer_edge.web.openapi import DOCUMENT
from fer_edge.web.shots import Shots
from fer_edge.web.state import About
from fer_edge.web.uploads import Uploads
from fer_edge.web.watching import Viewer, events

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

PAGE = Path(__file__).with_name("page")
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
# Without a frame for so long, the loop stands still.
_STILL_S = 30.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Site:
    """All that answers need.

    Attributes:
        about: The run.
        settings: Limits.
        shots: For those who watch.
        inference: Looks at pictures that clients send.
        newest: Of the loop; None where browsers send the pictures.
        board: Tells how the board is.
        registry: Gives the figures for Prometheus that the run keeps; None where it keeps none.
    """

    about: About
    settings: PreviewSettings
    shots: Shots
    inference: Inference
    newest: Newest | None = None
    board: Callable[[], BoardState | None] = lambda: None
    registry: Callable[[], CollectorRegistry | None] = lambda: None


def application(site: Site, guard: Guard) -> web.Application:
    """Put everything in its place."""
    app = web.Application(middlewares=[guard.middleware], client_max_size=int(1e6 * site.settings.upload_mb))
    app.on_response_prepare.append(guard.prepared)
    app.router.add_get("/", _file("index.html"))
    app.router.add_get("/page/{name}", _named)
    app.router.add_get(HEALTH, _health(site))
    app.router.add_get("/metrics", figures_of(site))
    uploads = Uploads(site.inference, site.settings)
    cameras = Cameras(site.about, site.inference, site.settings, site.board)
    for prefix in ("/api/v1", "/api"):
        app.router.add_get(f"{prefix}/openapi.json", _described)
        app.router.add_post(f"{prefix}/predict", uploads.answer)
        app.router.add_get(f"{prefix}/state", _state(site))
        app.router.add_get(f"{prefix}/events", _events(site), allow_head=False)
        if site.newest is not None:
            app.router.add_get(f"{prefix}/stream", _socket(lambda: Viewer(site.shots).answer), allow_head=False)
        else:
            app.router.add_get(f"{prefix}/camera", _socket(lambda: cameras.answer), allow_head=False)
    return app


def _file(name: str) -> Handler:
    async def answer(_request: web.Request) -> web.StreamResponse:
        path = PAGE / name
        headers = {"Content-Type": f"{_TYPES[path.suffix]}; charset=utf-8", "Cache-Control": "no-cache"}
        return web.FileResponse(path, headers=headers)

    return answer


async def _named(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    # Names that are there, so that none leads elsewhere.
    if name not in {path.name for path in PAGE.iterdir() if path.suffix in _TYPES}:
        return problem(404, "there is no such file")
    return await _file(name)(request)


def _health(site: Site) -> Handler:
    async def answer(_request: web.Request) -> web.StreamResponse:
        newest = site.newest
        if newest is not None:
            seen = newest.seen
            since_s = time.monotonic() - (site.about.started_s if seen is None else seen.frame.captured_ns / 1e9)
            if since_s > _STILL_S:
                return web.json_response({"status": f"no frame for {since_s:.0f} s"}, status=503)
        return web.json_response({"status": "ok"})

    return answer


def _state(site: Site) -> Handler:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=site.shots.state(), content_type="application/json")

    return answer


def _events(site: Site) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        return await events(request, site.shots)

    return answer


async def _described(_request: web.Request) -> web.StreamResponse:
    return web.json_response(DOCUMENT)


def _socket(handler: Callable[[], Handler]) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        if not web.WebSocketResponse().can_prepare(request):
            return problem(426, "this is a WebSocket", Upgrade="websocket")
        return await handler()(request)

    return answer
