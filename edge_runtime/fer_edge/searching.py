"""A search of the whole picture beside the loop, on another core: no frame has to wait for it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from fer_edge.box import Box
from fer_edge.detectors import Detector, open_detector
from fer_edge.preprocessing import Pixels
from fer_edge.settings.detectors import DetectorSettings
from fer_edge.sources import Source


class BackgroundSearch:
    """Searches one picture at a time in a thread of its own.

    Example:
        >>> with BackgroundSearch(open_detector("haar")) as search:
        ...     search.start(gray)
        ...     search.collect()  # nothing yet, or the boxes
    """

    def __init__(self, detector: Detector) -> None:
        """Wait for pictures.

        Args:
            detector: Searches; nobody else may use it, since detectors keep their own buffers.
        """
        self._detector = detector
        self._changed = threading.Condition()
        self._picture: Pixels | None = None
        self._found: list[Box] | None = None
        self._failure: Exception | None = None
        self._busy = self._ended = False
        self._thread = threading.Thread(target=self._run, name="search", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> bool:
        """Whether a picture is being searched, or what was found in it has not been collected."""
        return self._busy

    def start(self, gray: Pixels) -> None:
        """Search a picture that nobody changes meanwhile, [H, W] uint8; while busy, do nothing."""
        with self._changed:
            if not self._busy:
                self._busy, self._picture = True, gray
                self._changed.notify()

    def collect(self) -> list[Box] | None:
        """Give what was found, once; None while there is nothing new.

        Raises:
            Exception: What the detector raised.
        """
        with self._changed:
            if self._failure is not None:
                raise self._failure
            found, self._found = self._found, None
            if found is not None:
                self._busy = False
            return found

    def close(self) -> None:
        """End the thread after its search."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        # A detector that hangs must not keep the program from ending: the thread is a daemon.
        self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._picture is not None or self._ended)
                if self._ended or self._picture is None:
                    return
                picture, self._picture = self._picture, None
            try:
                found = self._detector.detect(picture)
            except Exception as error:  # handed to the loop, which raises it
                with self._changed:
                    self._failure = error
                return
            with self._changed:
                self._found = found


@contextmanager
def beside(source: Source, detector: DetectorSettings) -> Iterator[BackgroundSearch | None]:
    """Give a search beside the loop where frames do not wait and a second core is there for it, else None.

    Args:
        source: Whose frames are to be searched.
        detector: What to search with; it is made anew, since two threads cannot share one.
    """
    if not source.live or len(os.sched_getaffinity(0)) < 2:
        yield None
        return
    with closing(BackgroundSearch(open_detector(detector.name, detector))) as search:
        yield search
