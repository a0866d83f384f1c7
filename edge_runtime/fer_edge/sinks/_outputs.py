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
# More for one that is in the middle of a write.
_LAST_S = 0.5
_NOTHING = object()


@runtime_checkable
class _Teller(Protocol):
    """A sink that can tell of events."""

    def tell(self, event: Event) -> None:
        """Put out one event; raises what `Sink.write` does."""
        ...


@runtime_checkable
class _Watcher(Protocol):
    """A sink that wants to know whether the camera is there."""

    def camera(self, there: bool) -> None:
        """Take note; raises what `Sink.write` does."""
        ...


class _Output(Protocol):
    """A sink, and the way to it."""

    @property
    def sink(self) -> Sink: ...
    @property
    def losses(self) -> Losses: ...
    def wants(self) -> bool: ...
    def put(self, work: Callable[[], None]) -> None: ...
    def hanging_s(self) -> float: ...
    def end(self, within_s: float) -> None: ...
    def join(self, within_s: float) -> None: ...


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

    def hanging_s(self) -> float:
        """Nothing of it hangs that the loop does not hang in."""
        return 0.0

    def end(self, within_s: float) -> None:
        """Nothing waits here."""

    def join(self, within_s: float) -> None:
        """Nothing is waited for."""


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
        self._began_s: float | None = None
        self._error: Exception | None = None
        # A sink that hangs in a driver or a network must not keep the program from ending: the thread is a daemon.
        self._thread = threading.Thread(target=self._run, name=f"output {losses.output}", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Write what waits, for some seconds at most. Raises what the sink raised where nothing else was raised."""
        self.end(_DRAIN_S)
        assert self._ends_s is not None
        self._thread.join(max(0.0, self._ends_s - time.monotonic()) + _LAST_S)
        # What hangs in the middle of a write is not there either.
        left = int(self._began_s is not None)
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

    def hanging_s(self) -> float:
        """Tell for how long the write at hand has been going on, seconds; 0 where there is none."""
        began_s = self._began_s
        return 0.0 if began_s is None else time.monotonic() - began_s

    def end(self, within_s: float) -> None:
        """Let the thread write what waits, for so many seconds at most from the first call on, and end."""
        if self._ends_s is None:
            self._ends_s = time.monotonic() + within_s
            self._waiting.put(None)

    def join(self, within_s: float) -> None:
        """Wait until the thread has ended, for so many seconds at most."""
        self._thread.join(within_s)

    def _run(self) -> None:
        while (work := self._next()) is not None:
            self._began_s = time.monotonic()
            try:
                _write(work, self.losses)
            except Exception as error:  # handed to the loop, which raises it
                self._error = error
                return
            finally:
                self._began_s = None

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
    def sinks(self) -> list[Sink]:
        """What the results are written to."""
        return [output.sink for output in self._outputs]

    @property
    def lost(self) -> dict[str, int]:
        """What was lost so far by name: dropped because the output was too slow, or could not be written."""
        return {output.losses.output: output.losses.count for output in self._outputs}

    def camera(self, there: bool) -> None:
        """Tell those that want to know whether the camera is there. Raises what `write` does."""
        for output in self._outputs:
            if isinstance(output.sink, _Watcher):
                output.put(partial(output.sink.camera, there))

    def hanging_s(self) -> float:
        """Tell how long the write that hangs longest has been going on, seconds."""
        return max((output.hanging_s() for output in self._outputs), default=0.0)

    def end(self, within_s: float = _DRAIN_S) -> None:
        """Let all write what waits, at the same time, for so many seconds at most; nothing is taken any more."""
        for output in self._outputs:
            output.end(within_s)

    def flush(self, within_s: float) -> None:
        """Do the same and wait for it: for a thread that cannot wait for the loop."""
        self.end(within_s)
        until_s = time.monotonic() + within_s
        for output in self._outputs:
            output.join(max(0.0, until_s - time.monotonic()))

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
