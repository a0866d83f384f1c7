"""Work that goes on beside other work, and is waited for when its result is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Self, TypeVar

_Found = TypeVar("_Found")


class Meanwhile(Generic[_Found]):
    """Works in a thread of its own; a context manager, for native code aborts a process that ends while it works.

    Example:
        >>> with Meanwhile(lambda: open_detector("haar")) as detector:
        ...     frame = read()
        ...     boxes = detector.result().detect(frame)
    """

    def __init__(self, work: Callable[[], _Found]) -> None:
        """Begin.

        Args:
            work: Called once.
        """
        self._work = work
        self._found: list[_Found] = []
        self._error: BaseException | None = None
        self._told = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether `result` would not wait."""
        return not self._thread.is_alive()

    def result(self) -> _Found:
        """Wait, and give what the work gave.

        Raises:
            BaseException: What the work raised.
        """
        self._thread.join()
        if self._error is not None:
            self._told = True
            raise self._error
        return self._found[0]

    def __enter__(self) -> Self:
        """Go on with other work."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait for the end; raise what the work raised where nobody has seen it and nothing else is raised."""
        self._thread.join()
        if kind is None and self._error is not None and not self._told:
            raise self._error

    def _run(self) -> None:
        try:
            self._found.append(self._work())
        except BaseException as error:  # handed over
            self._error = error
