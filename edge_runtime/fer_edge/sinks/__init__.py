"""Outputs by name, one module each.

A module gives `create() -> Sink`.
"""

from __future__ import annotations

from typing import Protocol

from fer_edge.registry import Registry
from fer_edge.types import Result

REGISTRY = Registry(__name__, "output")


class Sink(Protocol):
    """Takes results, one at a time."""

    def write(self, result: Result) -> None:
        """Put out one result, so that a reader has it when this returns.

        Raises:
            OSError: It cannot be written; `BrokenPipeError` where the reader has gone.
        """
        ...


def open_sink(name: str) -> Sink:
    """Make a sink.

    Raises:
        UsageError: The name is not known.
    """
    sink: Sink = REGISTRY.load(name).create()
    return sink
