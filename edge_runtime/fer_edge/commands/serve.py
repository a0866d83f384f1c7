"""`fer-edge serve`: the pipeline for pictures that browsers send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from fer_edge import web
from fer_edge.command import Command
from fer_edge.commands import options
from fer_edge.quiet import silence_opencv
from fer_edge.settings import Settings
from fer_edge.settings.preview import DEFAULT_ADDRESS

_DEFAULTS = Settings()


@click.command(cls=Command)
@click.argument("address", required=False, metavar="[HOST:PORT]")
@options.model
@options.smoothing
@options.min_confidence
@options.page
@options.threads
@options.runtime
@options.config
@options.assignments
def serve(address: str | None, config_file: Path | None, assignments: tuple[str, ...], **given: Any) -> None:
    """Name the expressions of faces that browsers send: their cameras, photos and videos.

    The page is at HOST:PORT, 127.0.0.1:8080 unless told otherwise. Browsers give their camera only to pages of this
    machine (127.0.0.1, localhost) and to https: for others give --tls-cert. Needs the extra web.
    """
    silence_opencv()
    flags = {
        "model.file": given["model"] and str(given["model"]),
        "model.threads": given["threads"],
        "model.runtime": given["runtime"],
        "loop.smoothing_s": given["smoothing"],
        "loop.min_confidence": given["min_confidence"],
        **options.of_page(given),
    }
    settings = options.effective(config_file, assignments, flags).settings
    web.require()
    from fer_edge.web.serving import serve as run

    run(settings, address or settings.preview.address or DEFAULT_ADDRESS)
