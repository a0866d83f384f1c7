"""How results get to sinks: within the loop, or by a queue and thread of the sink's own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from fer_edge.errors import FerError
from fer_edge.sinks._events import Event, Follower
from fer_edge.sinks._losses import Losses, LostError
from fer_edge.types import Frame, Result

if TYPE_CHECKING:
    from fer_edge.sinks import Sink

# How long what waits may still be written at the end, seconds.
_DRAIN_S = 5.0
_NOTHING = object()


@runtime_checkable
class _Teller(Protocol):
    """A sink that can tell of events."""

    def tell(self, event: Event) -> None:
        """Put out one event; raises what `Sink.write` does."""
        ...


class _Output(Protocol):
    """A sink, and the way to it."""

    @property
    def sink(self) -> Sink: ...
    @property
    def losses(self) -> Losses: ...
    def wants(self) -> bool: ...
    def put(self, work: Callable[[], None]) -> None: ...


class Direct:
    """Writes within the loop: all is in order and nothing is dropped."""

    def __init__(self, sink: Sink, losses: Losses) -> None:
        """Take an open sink."""
        self.sink = sink
        self.losses = losses

    def __enter__(self) -> Self:
        """Nothing to start."""
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Tell of what was lost. Raises `FerError` for it where nothing else was raised."""
        self.losses.close()
        if self.losses.count and kind is None:
            raise FerError(f"the output {self.losses.output} lacks {self.losses.count} results: {self.losses.reason}")

    def wants(self) -> bool:
        """Want everything."""
        return True

    def put(self, work: Callable[[], None]) -> None:
        """Do the writing now. Raises `OSError` where stdout cannot be written."""
        _write(work, self.losses)


class Queued:
    """Writes in a thread of its own. Handing over never waits; where the queue is full, the oldest is dropped."""

    def __init__(self, sink: Sink, losses: Losses, size: int) -> None:
        """Take an open sink.

        Args:
            sink: Does the writing, only ever in that thread.
            losses: Counts what is dropped, and what the sink loses.
            size: Of the queue.
        """
        self.sink = sink
        self.losses = losses
        self._size = size
        # None is the end. Unlike `queue.Queue` it is written in C, and so hands over in a fraction of the time.
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._due_s = 0.0
        self._ends_s: float | None = None
        self._error: Exception | None = None
        # A sink that hangs in a driver or a network must not keep the program from ending: the thread is a daemon.
        self._thread = threading.Thread(target=self._run, name=f"output {losses.output}", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Write what waits, for some seconds at most. Raises what the sink raised where nothing else was raised."""
        self._ends_s = time.monotonic() + _DRAIN_S
        self._waiting.put(None)
        self._thread.join(_DRAIN_S + 1.0)
        left = 0
        while (work := self._pop()) is not _NOTHING:
            left += work is not None
        if left and self._error is None:
            self.losses.add("the program ends", left)
        self.losses.close()
        if self._error is not None and kind is None:
            raise self._error

    def wants(self) -> bool:
        """Tell whether the next result is due; if so, the one after it is due an interval later."""
        now = time.monotonic()
        if now < self._due_s:
            return False
        self._due_s = now + self.sink.interval_s
        return True

    def put(self, work: Callable[[], None]) -> None:
        """Let the thread do the writing. Raises what it has met: `OSError` where stdout cannot be written."""
        if self._error is not None:
            raise self._error
        full = self._waiting.qsize() >= self._size and self._pop() is not _NOTHING
        self._waiting.put(work)
        if full:
            self.losses.add(f"it is too slow, {self._size} wait")

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                _write(work, self.losses)
            except Exception as error:  # handed to the loop, which raises it
                self._error = error
                return

    def _next(self) -> Callable[[], None] | None:
        """Wait for something to write; None at the end."""
        if self._ends_s is not None and time.monotonic() > self._ends_s:
            return None
        return self._waiting.get()

    def _pop(self) -> object:
        """Take the oldest off the queue."""
        with suppress(Empty):
            return self._waiting.get_nowait()
        return _NOTHING


def _write(work: Callable[[], None], losses: Losses) -> None:
    try:
        work()
    except LostError as lost:
        losses.add(str(lost))
    else:
        losses.written()


class Outputs:
    """Hands each result to all outputs."""

    def __init__(self, events: bool = False) -> None:
        """Start without outputs.

        Args:
            events: Whether those that can tell of events tell of nothing else.
        """
        self._follower = Follower() if events else None
        self._outputs: list[_Output] = []

    def add(self, output: _Output) -> None:
        """Take one more."""
        self._outputs.append(output)

    @property
    def lost(self) -> dict[str, int]:
        """What was lost so far by name: dropped because the output was too slow, or could not be written."""
        return {output.losses.output: output.losses.count for output in self._outputs}

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Hand over one result. Raises `OSError` where stdout cannot be written."""
        events = None if self._follower is None else self._follower.events(result)
        for output in self._outputs:
            sink = output.sink
            if events is not None and isinstance(sink, _Teller):
                for event in events:
                    output.put(partial(sink.tell, event))
            elif output.wants():
                output.put(partial(sink.write, result, frame if sink.pictures else None))
