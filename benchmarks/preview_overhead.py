"""What the page of `fer-edge run --preview` costs the loop: unwatched, and watched by a viewer who keeps up.

    python benchmarks/preview_overhead.py demo
    python benchmarks/preview_overhead.py pan-640.avi --rate 30

Blocks of frames run without a page, with one that nobody watches, with one that is watched, and with fifty viewers of
whom 45 read nothing, in turn and in an order that changes, so that what else the machine does meets all of them. A
frame counts from when the loop takes it to when its result has been handed over. Viewers are a process of their own, as
a browser is. With `--rate` the frames come at a camera's pace, else as fast as the loop takes them.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from statistics import median

import click
import numpy as np
from tabulate import tabulate

from fer_edge import shipped_model
from fer_edge.classifier import Classifier
from fer_edge.detectors import open_detector
from fer_edge.loop import Loop
from fer_edge.settings import Settings
from fer_edge.settings.preview import PreviewSettings
from fer_edge.sinks import Outputs
from fer_edge.sources import open_source
from fer_edge.supervision.choosing import Chosen
from fer_edge.types import Frame
from fer_edge.web.previewing import Page

_WAYS = ("no page", "unwatched", "watched", "crowd")
_TARGETS = {"unwatched": 1.02, "watched": 1.15}
# Who keep up, and who read nothing.
_VIEWERS = {"watched": (1, 0), "crowd": (5, 45)}
_WARM_UP = 10
# Watches the port that a line tells it, with so many viewers who keep up and so many who read nothing, until the next
# line; then says a line with the fewest pictures a second of those who keep up.
_VIEWER = """
import asyncio, sys, aiohttp
async def hang(session, url, ready):
    async with session.ws_connect(url):
        ready.set()
        await asyncio.sleep(1e6)
async def watch(session, url, ready, counts, number):
    async with session.ws_connect(url) as viewer:
        async for message in viewer:
            if message.type is aiohttp.WSMsgType.BINARY:
                counts[number] += 1
                ready.set()
                await viewer.send_str("next")
async def main():
    loop = asyncio.get_running_loop()
    line = lambda: loop.run_in_executor(None, sys.stdin.readline)
    while told := (await line()).split():
        port, fast, slow = map(int, told)
        url, counts = f"http://127.0.0.1:{port}/api/v1/stream", [0] * fast
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            events = [asyncio.Event() for _ in range(fast + slow)]
            tasks = [asyncio.create_task(hang(session, url, event)) for event in events[fast:]]
            tasks += [asyncio.create_task(watch(session, url, events[n], counts, n)) for n in range(fast)]
            for event in events:
                await event.wait()
            print("watching", flush=True)
            counts[:], began = [0] * fast, loop.time()
            await line()
            print(min(counts) / (loop.time() - began), flush=True)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
asyncio.run(main())
"""


class Viewer:
    """A process that watches."""

    def __init__(self) -> None:
        self.rates: dict[str, list[float]] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _VIEWER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    @contextmanager
    def watching(self, way: str, port: int, loop: Runner) -> Iterator[None]:
        """Watch meanwhile, from the first picture on, which needs frames of the loop."""
        self._say(" ".join(map(str, (port, *_VIEWERS[way]))))
        heard = threading.Thread(target=self._hear)
        heard.start()
        while heard.is_alive():
            loop.run(1)
        yield
        self._say("")
        self.rates.setdefault(way, []).append(float(self._hear()))

    def end(self) -> None:
        """Leave."""
        self._process.communicate("\n")


class Runner:
    """The loop of `fer-edge run`, block by block."""

    def __init__(self, frames: list[Frame], rate: float | None) -> None:
        chosen = Chosen(Classifier.load(shipped_model()), None, shipped_model())
        self.chosen = chosen
        self._loop = Loop(open_detector("haar"), chosen.classifier)
        self._frames, self._pause_s = frames, 1 / rate if rate else 0.0
        self.at = 0
        self.outputs = Outputs()

    def run(self, count: int) -> list[float]:
        """Process so many frames; milliseconds of each."""
        spent = []
        due = time.perf_counter()
        for _ in range(count):
            frame = self._frames[self.at % len(self._frames)]
            self.at += 1
            if self._pause_s:
                due = max(due + self._pause_s, time.perf_counter())
                time.sleep(max(0.0, due - time.perf_counter()))
            began = time.perf_counter()
            self.outputs.write(self._loop.process(frame), frame)
            spent.append(1e3 * (time.perf_counter() - began))
        return spent


def block(way: str, runner: Runner, viewer: Viewer, begin: int, count: int) -> list[float]:
    """Measure one block of frames from the one of a number on."""
    runner.outputs = Outputs()
    with ExitStack() as stack:
        if way != "no page":
            settings = Settings(preview=PreviewSettings(address="127.0.0.1:0"))
            page = stack.enter_context(Page(settings, "benchmark", lambda: runner.chosen))
            page.join(runner.outputs)
            if way in _VIEWERS:
                stack.enter_context(viewer.watching(way, page.server.port, runner))
        runner.at = begin
        runner.run(_WARM_UP)
        return runner.run(count)


@click.command()
@click.argument("source")
@click.option("--rate", type=float, help="Frames a second.  [default: as fast as they are taken]")
@click.option("--frames", default=100, show_default=True, help="Of a block.")
@click.option("--rounds", default=40, show_default=True, help="Blocks of each kind.")
def main(source: str, rate: float | None, frames: int, rounds: int) -> None:
    """Print medians and ratios of the ways."""
    with open_source(source) as opened:
        runner = Runner(list(islice(opened, 400)), rate)
    viewer, draw = Viewer(), np.random.default_rng(1)
    spent: dict[str, list[list[float]]] = {way: [] for way in _WAYS}
    for number in range(rounds):
        for way in draw.permutation(_WAYS):
            spent[way].append(block(way, runner, viewer, number * frames, frames))
    viewer.end()
    rows = []
    for way, blocks in spent.items():
        everything = np.concatenate(blocks)
        ratios = [median(one) / median(other) for one, other in zip(blocks, spent["no page"], strict=True)]
        middle, p90 = np.percentile(everything, (50, 90))
        total = middle / np.median(np.concatenate(spent["no page"]))
        seen = median(viewer.rates[way]) if way in viewer.rates else None
        rows.append((way, middle, p90, total, median(ratios), _TARGETS.get(way), seen))
    heads = ("", "median ms", "p90 ms", "ratio of medians", "median of blocks' ratios", "at most", "pictures/s")
    print(tabulate(rows, heads, floatfmt=".3f"))
    print(f"{rounds * frames} frames each; pictures a second of the viewer who keeps up worst")


if __name__ == "__main__":
    main()
