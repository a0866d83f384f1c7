"""Outputs by name, one module each.

A module gives `create(settings: OutputSettings, context: Context) -> Sink`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import ClassVar, Protocol, Self

import msgspec

from fer_edge.command import warn
from fer_edge.errors import UsageError
from fer_edge.registry import Registry
from fer_edge.settings.outputs import OutputSettings
from fer_edge.sinks._losses import Losses, LostError
from fer_edge.sinks._outputs import Direct, Outputs, Queued
from fer_edge.types import Frame, Result

__all__ = ["REGISTRY", "Context", "LostError", "Outputs", "Sink", "Writer", "open_sink", "open_sinks"]

REGISTRY = Registry(__name__, "output")


class Writer(Protocol):
    """Takes results, one at a time."""

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Put out one result.

        Args:
            result: What the loop says.
            frame: Of what.

        Raises:
            OSError: Stdout cannot be written; `BrokenPipeError` where its reader has gone.
        """
        ...


class Sink(Writer, Protocol):
    """One output: a context manager that holds what it writes to.

    One that can tell of events has a method `tell(event: Event)` as well, and one that can tell whether the camera is
    there a method `camera(there: bool)`.

    Attributes:
        pictures: Whether `write` needs the frame. The others get none, so that what waits for them is small.
        queued: Whether what it writes to may hang, so that it never works within the loop.
    """

    pictures: ClassVar[bool]
    queued: ClassVar[bool]

    @property
    def interval_s(self) -> float:
        """Between two results that it wants at least, seconds; 0 for all. Events do not count."""
        ...

    def __enter__(self) -> Self:
        """Open what it writes to. Raises `FerError` where that cannot be meant, such as a port that is taken."""
        ...

    def __exit__(self, *_: object) -> None:
        """Close it."""
        ...

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Put out one result, so that a reader has it when this returns.

        Raises:
            LostError: It cannot be written now; the next may be.
            OSError: See `Writer`.
        """
        ...


class Context(msgspec.Struct, frozen=True):
    """What a sink may want to know of the run.

    Attributes:
        live: Whether frames come by themselves.
        source: Name of the source.
        labels: Gives those of the model, in its order; waits where that is still being loaded.
        losses: Counts what this sink loses.
        lost: Gives what all outputs have lost so far, by name.
    """

    live: bool = False
    source: str = ""
    labels: Callable[[], Sequence[str]] = tuple
    losses: Losses = msgspec.field(default_factory=lambda: Losses("output", warn))
    lost: Callable[[], Mapping[str, int]] = dict


def open_sink(name: str, settings: OutputSettings | None = None, context: Context | None = None) -> Sink:
    """Make a sink.

    Raises:
        UsageError: The name is not known.
    """
    sink: Sink = REGISTRY.load(name).create(settings or OutputSettings(), context or Context())
    return sink


@contextmanager
def open_sinks(
    names: Sequence[str],
    settings: OutputSettings,
    *,
    live: bool,
    source: str = "",
    labels: Callable[[], Sequence[str]] = tuple,
    tell: Callable[[str], None] = warn,
) -> Iterator[Outputs]:
    """Open outputs, each with a queue of its own where it could slow a camera.

    Args:
        names: Of outputs, each once.
        settings: Of all of them.
        live: Whether the source overwrites frames that nobody takes; else nothing may be lost.
        source: Its name.
        labels: Gives those of the model, see `Context`.
        tell: Takes a line that tells of a loss, when it begins and when it has ended.

    Yields:
        Takes the results; counts what was lost.

    Raises:
        UsageError: A name is not known, or given twice.
        FerError: An output cannot be opened; or, when all else has ended well, results of a source that waits were lost
            in one that has no queue.

    Example:
        >>> with open_sinks(["console", "mqtt"], OutputSettings(), live=True) as outputs:
        ...     outputs.write(result, frame)
        >>> outputs.lost
        {'console': 0, 'mqtt': 0}
    """
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"the output {twice[0]} is given twice: each can be there once")
    with ExitStack() as stack:
        outputs = Outputs(settings.events)
        for name in names:
            losses = Losses(name, tell)
            stack.callback(losses.close)
            context = Context(live, source, labels, losses, lambda: outputs.lost)
            sink = stack.enter_context(open_sink(name, settings, context))
            if live or sink.queued:
                size = settings.video.queue_frames if sink.pictures else settings.queue_frames
                outputs.add(stack.enter_context(Queued(sink, losses, size)))
            else:
                outputs.add(stack.enter_context(Direct(sink, losses)))
        try:
            yield outputs
        finally:
            outputs.end()
