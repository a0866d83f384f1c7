"""A whole run: source, stages and outputs opened, the loop, and an orderly end.

What takes long to import is imported where it is needed: the cascade is read and the model loaded meanwhile, each in a
thread of its own, so that the first answer comes sooner.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click
import cv2

from fer_edge.command import give_up_stdout, warn, writing_stdout
from fer_edge.errors import FerError, ModelError
from fer_edge.meanwhile import Meanwhile
from fer_edge.settings import Settings, SourceSettings

if TYPE_CHECKING:
    from fer_edge.classifier import Classifier
    from fer_edge.detectors import Detector
    from fer_edge.sinks import Outputs
    from fer_edge.sources import Source
    from fer_edge.sources._reconnecting import Attendant
    from fer_edge.summary import Summary
    from fer_edge.supervision.reloading import Reloader
    from fer_edge.supervision.supervisor import Supervisor
    from fer_edge.types import BoardState
    from fer_edge.web.previewing import Page

# Where a signal has ended the run, what waits for outputs must be written sooner than at another end, seconds.
_DRAIN_S = 2.0


def run(
    settings: Settings, detector: Meanwhile[Detector], read: Callable[[], Settings], limit: int | None = None
) -> None:
    """Run until the frames end, the limit is reached or a signal comes; messages go to stderr.

    Args:
        settings: Of everything.
        detector: Being made.
        read: Gives the settings anew, at SIGHUP.
        limit: Frames to process at most.

    Raises:
        FerError: Something cannot be opened, or fails.
    """
    from fer_edge import sinks
    from fer_edge.loop import Loop
    from fer_edge.loop import run as run_loop
    from fer_edge.notify import Notifier
    from fer_edge.searching import beside
    from fer_edge.sources import open_source
    from fer_edge.summary import Summary
    from fer_edge.supervision.signals import Signals
    from fer_edge.supervision.supervisor import Supervisor

    notifier, summary = Notifier.from_environment(os.environ), Summary()
    reloader = _reloader(read) if notifier.listened else None
    if notifier.listened:
        # The watchdog ends what hangs by SIGABRT: the journal shall have the place.
        faulthandler.enable()
    written: sinks.Outputs | None = None

    def flush(within_s: float) -> None:
        if written is not None:
            written.flush(within_s)

    with (
        Signals(
            stopping=notifier.stopping, flush=flush, reload=None if reloader is None else reloader.asked, end=_end
        ) as signals,
        contextlib.ExitStack() as stack,
    ):
        stop = signals.stop
        source = open_source(settings.source.uri, stop, settings.source)
        supervisor = Supervisor(
            settings, notifier, stop, board=_board(stack) if source.live else lambda: None, reloader=reloader
        )
        opened = _reconnecting(source, settings.source, stop, supervisor) if source.live else source
        if opened.live or settings.model.threads:
            from fer_edge.interpreter import default_threads

            # OpenCV would take the core that is left for the camera.
            cv2.setNumThreads(settings.model.threads or default_threads())
        try:
            with (
                _page(settings, opened, supervisor) as page,
                # Not before: Python's lock, which it wants too, is better left to what leads to the first search.
                Meanwhile(supervisor.choose) as choosing,
                opened,
                beside(opened, settings.detector) as background,
                _until_reader_leaves(),
                sinks.open_sinks(
                    settings.output.to,
                    settings.output,
                    live=opened.live,
                    source=opened.name,
                    labels=lambda: _chosen(choosing, supervisor).metadata.labels,
                ) as outputs,
            ):
                written = outputs
                if page is not None:
                    page.join(outputs)
                loop = Loop(detector.result(), lambda: _ready(choosing, supervisor), settings.loop, background)
                supervisor.attach(loop, outputs)
                run_loop(opened, loop, [outputs], summary, limit=limit, stop=stop, between=supervisor.between)
                if page is not None:
                    page.end()
                if stop.is_set():
                    outputs.end(_DRAIN_S)
        except FerError as error:
            if not isinstance(error, ModelError):
                supervisor.ended()
            if summary.frames:
                _close(summary, opened.skipped, written)
            else:
                _warn_of(opened.skipped)
            raise
        supervisor.ended()
        _close(summary, opened.skipped, written)


def _reloader(read: Callable[[], Settings]) -> Reloader:
    from fer_edge.supervision.reloading import Reloader

    return Reloader(read)


def _board(stack: contextlib.ExitStack) -> Callable[[], BoardState | None]:
    """Ask the board from now on, as long as the stack is open; give what gives its state."""
    from fer_edge.supervision.thermometer import Thermometer

    thermometer = stack.enter_context(contextlib.closing(Thermometer()))
    thermometer.start()
    return lambda: thermometer.state


def _reconnecting(source: Source, settings: SourceSettings, stop: threading.Event, attendant: Attendant) -> Source:
    """Let a source that can be lost be opened again."""
    from fer_edge.sources import open_source
    from fer_edge.sources._reconnecting import ReconnectingSource

    makes = itertools.chain([source], iter(lambda: open_source(settings.uri, stop, settings), None))
    return ReconnectingSource(lambda: next(makes), settings.reconnect, stop, attendant)


def _page(settings: Settings, source: Source, supervisor: Supervisor) -> AbstractContextManager[Page | None]:
    """Show the run on a page, where one is wanted."""
    if not settings.preview.address:
        return contextlib.nullcontext()
    from fer_edge import web

    web.require()
    from fer_edge.web.previewing import Page

    return Page(settings, source.name, lambda: supervisor.model)


def _chosen(choosing: Meanwhile[None], supervisor: Supervisor) -> Classifier:
    """Wait for the model. The supervisor alone keeps it: what a reload has replaced is to be freed."""
    choosing.result()
    assert supervisor.model is not None
    return supervisor.model.classifier


def _ready(choosing: Meanwhile[None], supervisor: Supervisor) -> Classifier:
    """Do so; end what `fer_edge.__main__` began: garbage is collected, but not among what is there now."""
    found = _chosen(choosing, supervisor)
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
    return found


def _end(code: int) -> None:
    warn("something hangs, the program ends without waiting for it")
    os._exit(code)


def _close(summary: Summary, skipped: list[str], outputs: Outputs | None) -> None:
    """Tell on stderr what the run came to."""
    _warn_of(skipped)
    click.echo(summary, err=True)
    for name, count in (outputs.lost if outputs is not None else {}).items():
        if count:
            click.echo(f"lost {count} by the output {name}", err=True)
    if skipped:
        click.echo(f"skipped {len(skipped)}", err=True)


def _warn_of(skipped: list[str]) -> None:
    for reason in skipped:
        warn(f"skipped: {reason}")


@contextlib.contextmanager
def _until_reader_leaves() -> Iterator[None]:
    """End quietly where stdout is a pipe whose reader has gone, as with `| head`."""
    try:
        with writing_stdout():
            yield
    except BrokenPipeError:
        give_up_stdout()
