"""The loop as a service runs it, for very many frames, while everything around it fails again and again.

    MALLOC_ARENA_MAX=1 python benchmarks/soak.py
    MALLOC_ARENA_MAX=1 python benchmarks/soak.py --frames 20000 --warm-up 5000 --seed 2

With one arena, as the service is to be run: each reload loads the model in a thread of its own, for which glibc
otherwise takes an arena of its own, that it does not give back.

The loop, the reconnecting source with its capture threads and slot, the supervisor with its datagrams, the search
beside the loop, the outputs with their queues and threads, the line file and the reloading are those of `fer-edge run`,
and the model is the shipped one. Made up are the camera, which gives a picture when the loop has done with one, a
detector that costs nothing, and an output that loses results and is slow. The log's pauses between attempts are 200
times as short as in life, and patience and pauses of the camera some 10 ms: else most of the time would be waiting.

All is accounted for: what the camera gave is processed or told as dropped by the next result, and each result has been
written or is counted as lost. Exit code 1 where anything does not add up, where memory has grown, or where threads or
file descriptors are left.
"""

from __future__ import annotations

import itertools
import random
import sys
import threading
import time
from contextlib import ExitStack, closing

import click
import cv2
import msgspec

from fer_edge.classifier import Classifier
from fer_edge.errors import UsageError
from fer_edge.loop import Loop
from fer_edge.loop import run as run_loop
from fer_edge.notify import Notifier
from fer_edge.searching import BackgroundSearch
from fer_edge.settings import ModelSettings, Settings, SourceSettings
from fer_edge.settings.cameras import ReconnectSettings
from fer_edge.settings.heat import HeatSettings
from fer_edge.settings.loop import LoopSettings
from fer_edge.sinks import Outputs
from fer_edge.sinks._lines import LineFile
from fer_edge.sinks._losses import Losses
from fer_edge.sinks._outputs import Queued
from fer_edge.sources._reconnecting import ReconnectingSource
from fer_edge.summary import Summary
from fer_edge.supervision.reloading import Reloader
from fer_edge.supervision.supervisor import Supervisor
from fer_edge.supervision.thermometer import Thermometer
from soaking.books import Books, Told
from soaking.camera import Camera, Feed, Glance
from soaking.disk import Disk
from soaking.listener import Listener
from soaking.measuring import held
from soaking.outputs import Counting, Fussy, Log
from soaking.table import Run, table

_PATIENCE_S = 0.01
_SETTINGS = Settings(
    source=SourceSettings(
        patience_s=_PATIENCE_S, reconnect=ReconnectSettings(give_up_s=1e9, pause_s=0.002, max_pause_s=0.01)
    ),
    model=ModelSettings(threads=1),
    heat=HeatSettings(above_c=0),
)
_WATCHDOG_S = 4.0
_HASTE = 200.0
_QUEUE, _FUSSY_QUEUE = 100, 10


def _configurations() -> itertools.cycle[Settings | None]:
    """Give what is read at each reload: two that are good, then a bad one."""
    loops = (LoopSettings(min_confidence=share) for share in (0.3, 0.6))
    return itertools.cycle((*(msgspec.structs.replace(_SETTINGS, loop=loop) for loop in loops), None))


def _classifier(supervisor: Supervisor) -> Classifier:
    """Give the model that was loaded; nobody else may hold it, for a reload replaces it."""
    assert supervisor.model is not None
    return supervisor.model.classifier


@click.command()
@click.option("--frames", default=1_000_000, show_default=True, type=click.IntRange(1000))
@click.option("--warm-up", default=20_000, show_default=True, type=click.IntRange(100), help="Frames before measuring.")
@click.option("--faults", default=0.01, show_default=True, type=click.FloatRange(0, 0.1), help="Share of each kind.")
@click.option("--seed", default=1, show_default=True)
@click.option("--growth-mb", default=5.0, show_default=True, type=click.FloatRange(0), help="Less than this is well.")
def main(frames: int, warm_up: int, faults: float, seed: int, growth_mb: float) -> None:
    """Run the loop with faults, and account for everything."""
    if warm_up >= frames:
        raise click.UsageError("--warm-up must be less than --frames")
    cv2.setNumThreads(1)
    stop, told, summary = threading.Event(), Told(), Summary()
    feed, given = Feed(faults, seed, _PATIENCE_S), _configurations()

    def read() -> Settings:
        settings = next(given)
        if settings is None:
            raise UsageError("a mistake in the configuration")
        return settings

    with ExitStack() as around:
        disk = around.enter_context(Disk())
        listener = around.enter_context(Listener(disk.folder / "notify"))
        log, reloader = Log(disk.folder / "log.jsonl", frames), Reloader(read, told)
        notifier = Notifier(listener.address, _WATCHDOG_S, tell=told)
        thermometer = around.enter_context(closing(Thermometer()))
        supervisor = Supervisor(
            _SETTINGS, notifier, stop, board=lambda: thermometer.state, reloader=reloader, tell=told
        )
        supervisor.choose()
        books = Books(frames, warm_up, seed + 1, feed, disk, log, reloader, stop)
        books.moments["before the start"] = held(captures=0)
        began_s = time.monotonic()
        source = ReconnectingSource(
            lambda: Camera(feed, stop), _SETTINGS.source.reconnect, stop, supervisor, random.Random(seed + 2).random
        )
        lines = LineFile(log.path, max_bytes=2e5, keep=99, sync_s=5 * _HASTE, clock=lambda: _HASTE * time.monotonic())
        counting = Counting(lines)
        fussy = Fussy(faults, seed + 3, feed.calm, lambda: books.results, _FUSSY_QUEUE)
        losses = [Losses(name, told) for name in ("jsonl", "fussy")]
        with source, closing(BackgroundSearch(Glance())) as background, counting, fussy:
            outputs = Outputs()
            with Queued(counting, losses[0], _QUEUE) as one, Queued(fussy, losses[1], _FUSSY_QUEUE) as other:
                outputs.add(one)
                outputs.add(other)
                loop = Loop(Glance(), lambda: _classifier(supervisor), _SETTINGS.loop, background)
                supervisor.attach(loop, outputs)
                run_loop(source, loop, [books, outputs], summary, stop=stop, between=supervisor.between)
        seconds = time.monotonic() - began_s
        disk.free()
        log.read_rest()
        books.moments["when all is closed"] = held(captures=0)
        run = Run(books, feed, log, counting, fussy, losses, told, listener, str(disk), seconds)
    click.echo(table(run))
    wrong = run.wrong(growth_mb)
    for line in wrong:
        click.echo(f"does not add up: {line}")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
