"""What a soak came to: its table, and what does not add up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tabulate import tabulate

from fer_edge.sinks._losses import Losses
from soaking.books import Books, Told
from soaking.camera import HANGS, LOSSES, PICTURES, REFUSES, Feed
from soaking.listener import Listener
from soaking.outputs import Counting, Fussy, Log

Rows = Iterator[tuple[object, ...]]


@dataclass(frozen=True)
class Run:
    """All that was counted; see the parts."""

    books: Books
    feed: Feed
    log: Log
    counting: Counting
    fussy: Fussy
    losses: list[Losses]
    told: Told
    listener: Listener
    disk: str
    seconds: float

    def noticed(self, kind: str) -> int:
        """Tell how often a connection ended while that was wrong with the camera."""
        return sum(number for (what, _), number in self.feed.seen.items() if what == kind)

    @property
    def disturbed(self) -> int:
        """Connections that ended though nothing was wrong: the machine was too busy for their patience."""
        return sum(number for (what, _), number in self.feed.seen.items() if what not in LOSSES)

    @property
    def handed(self) -> int:
        """What the output that wants to know of the camera has got."""
        return self.books.results + self.told.count["lost"] + self.told.count["found"]

    @property
    def overflow(self) -> int:
        """What never came out of that output's queue."""
        return self.handed - self.fussy.count - self.fussy.refused

    @property
    def unwritten(self) -> int:
        """Results of which no line was read back."""
        return self.books.results - self.log.lines

    @property
    def growth_mb(self) -> float:
        """Memory at the end less that after the warm-up."""
        moments = self.books.moments
        return moments["at the end"].resident_mb - moments["after the warm-up"].resident_mb

    def wrong(self, growth_mb: float) -> list[str]:
        """Say what does not add up, or that memory has grown by so much; nothing where all is well."""
        sums = [f"{what}: {one:,} and {other:,}" for what, one, other in self._sums() if one != other]
        return [*self.books.wrong, *sums, *self._grown(growth_mb)]

    def _sums(self) -> Iterator[tuple[str, int, int]]:
        books, feed, log = self.books, self.feed, self.log
        for kind in LOSSES:
            if kind != HANGS:
                yield f"the camera {kind}, injected and noticed", feed.injected[kind], self.noticed(kind)
        yield f"the camera {REFUSES}, injected and noticed", feed.injected[REFUSES], feed.refused
        yield "losses of the camera and its returns", self.told.count["lost"], self.told.count["found"]
        told = books.lost.total()
        yield (
            "pictures given, and those processed, dropped or in the slot at the end",
            feed.given,
            (books.results + books.dropped + len(feed.shots)),
        )
        yield "pictures lost and counted", told, books.counted.total()
        yield "pictures lost and told", told, books.dropped
        yield "results and lines or losses of jsonl", books.results, log.lines + self.losses[0].count
        yield "lines written and read", self.counting.count, log.lines
        yield "torn, doubled or strange lines", log.wrong, 0
        yield "handed over, and written or lost by fussy", self.handed, self.fussy.count + self.losses[1].count
        yield (
            "reloads asked for, and renewed or refused",
            books.asked,
            (self.told.count["renewed"] + self.told.count["refused"]),
        )

    def _grown(self, allowed_mb: float) -> Iterator[str]:
        moments = self.books.moments
        if self.growth_mb >= allowed_mb:
            yield f"memory has grown by {self.growth_mb:.1f} MB"
        for first, last in (("after the warm-up", "at the end"), ("before the start", "when all is closed")):
            for what in ("threads", "descriptors"):
                if getattr(moments[first], what) != getattr(moments[last], what):
                    yield f"{what} {first} {getattr(moments[first], what)}, {last} {getattr(moments[last], what)}"


def table(run: Run) -> str:
    """Give the tables and a line more, Markdown."""
    order = ("before the start", "after the warm-up", "at the end", "when all is closed")
    moments = [(when, *run.books.moments[when]) for when in order]
    count, messages = run.told.count, run.listener.messages
    parts = [
        _markdown(("fault", "injected", "noticed", "lost", "counted"), _faults(run)),
        _markdown(("account", "given", "arrived", "lost", "counted", "left at the end"), _accounts(run)),
        _markdown(("moment", "resident, MB", "trimmed, MB", "threads", "file descriptors"), moments),
        f"{run.books.results:,} frames in {run.seconds:.0f} s, {1e3 * run.seconds / run.books.results:.2f} ms each. "
        f"Trimmed memory {run.growth_mb:+.1f} MB. {run.feed.late} pictures came after their camera had been given up. "
        f"Reloads: {count['renewed']} taken over, {count['refused']} refused. {messages['READY=1']} READY, "
        f"{messages['WATCHDOG=1']} WATCHDOG at most {run.listener.silent_s:.1f} s apart.",
    ]
    return "\n\n".join(parts)


def _faults(run: Run) -> Rows:
    """Say of each fault how often it was injected and noticed, and how many pictures or results it has cost."""
    books, feed, log = run.books, run.feed, run.log
    for kind in LOSSES:
        yield f"camera {kind}", feed.injected[kind], run.noticed(kind), books.lost[kind], books.counted[kind]
    yield f"camera {REFUSES}", feed.injected[REFUSES], feed.refused, 0, 0
    for kind in PICTURES:
        yield f"camera {kind}", feed.injected[kind], books.processed[kind], books.lost[kind], books.counted[kind]
    yield "camera too late, the machine was busy", 0, run.disturbed, 0, 0
    refused, slow = run.fussy.refused, run.fussy.slow
    yield "output raises LostError", refused, refused, refused, refused
    yield "output is slow, its queue overflows", slow, slow, run.overflow, run.losses[1].count - refused
    yield f"disk full: {run.disk}", books.filled, books.filled, run.unwritten, run.losses[0].count
    yield "log file moved", log.moved, log.moved, 0, 0
    yield "log file removed", log.removed, log.removed, 0, 0
    yield "reload", books.asked, run.told.count["renewed"] + run.told.count["refused"], 0, 0


def _accounts(run: Run) -> Rows:
    """Say what was given and what has arrived."""
    books, feed, fussy = run.books, run.feed, run.fussy
    yield "pictures of the camera", feed.given, books.results, books.lost.total(), books.dropped, len(feed.shots)
    yield "lines of jsonl", books.results, run.log.lines, run.unwritten, run.losses[0].count, 0
    lost = run.overflow + fussy.refused
    yield "results and notes of the camera, other output", run.handed, fussy.count, lost, run.losses[1].count, 0


def _markdown(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    align = ("left", *["right"] * (len(headers) - 1))
    return tabulate([[_cell(value) for value in row] for row in rows], headers, tablefmt="github", colalign=align)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
