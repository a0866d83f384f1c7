"""Settings and model read again while frames go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from fer_edge.command import warn
from fer_edge.configuration import value_of
from fer_edge.detectors import Detector, open_detector
from fer_edge.errors import FerError
from fer_edge.meanwhile import Meanwhile
from fer_edge.settings import Settings
from fer_edge.settings.keys import keys
from fer_edge.supervision.choosing import Chosen, choose

# What a running camera and open outputs cannot take over.
_LATER = ("source.", "output.", "preview.")


@dataclass(frozen=True)
class Renewal:
    """What takes the place of what there is.

    Attributes:
        settings: All of them; where nothing may change while frames go on, as before.
        model: Loaded and tested.
        detector: None for the one that there is, since its settings are the same.
        searcher: The same for the search beside the loop, which needs one of its own.
        later: Keys whose new values wait for the next start.
    """

    settings: Settings
    model: Chosen
    detector: Detector | None
    searcher: Detector | None
    later: tuple[str, ...]


class Reloader:
    """Prepares a renewal in a thread when it is asked for.

    Attributes:
        asked: Set it to ask.
    """

    def __init__(self, read: Callable[[], Settings], tell: Callable[[str], object] = warn) -> None:
        """Prepare nothing yet.

        Args:
            read: Gives the settings as they are now; raises `FerError` where they are wrong.
            tell: Takes a line where a renewal is refused.
        """
        self.asked = threading.Event()
        self._read, self._tell = read, tell
        self._work: Meanwhile[Renewal] | None = None

    @property
    def begun(self) -> bool:
        """Whether a renewal is being prepared, or waits to be collected."""
        return self._work is not None

    @property
    def done(self) -> bool:
        """Whether one can be collected, or was refused."""
        return self._work is not None and self._work.done

    def begin(self, current: Settings, before: Callable[[], object]) -> None:
        """Prepare a renewal.

        Args:
            current: Settings in use.
            before: Called in the thread before a model is chosen.
        """
        self.asked.clear()
        self._work = Meanwhile(lambda: self._prepare(current, before))

    def collect(self) -> Renewal | None:
        """Give the renewal, once; waits for it. None where it is refused, or was never begun."""
        work, self._work = self._work, None
        if work is None:
            return None
        try:
            return work.result()
        except FerError as error:
            self._tell(f"the new configuration is refused, the old one stays: {error}")
            return None

    def _prepare(self, current: Settings, before: Callable[[], object]) -> Renewal:
        wanted = self._read()
        later = _different(current, wanted, _LATER)
        settings = msgspec.structs.replace(
            wanted, source=current.source, output=current.output, preview=current.preview
        )
        same = settings.detector == current.detector
        detector, searcher = (
            None if same else open_detector(settings.detector.name, settings.detector) for _ in range(2)
        )
        before()
        return Renewal(settings, choose(settings.model, self_test=True, tell=self._tell), detector, searcher, later)


def _different(one: Settings, other: Settings, prefixes: tuple[str, ...]) -> tuple[str, ...]:
    mine, theirs = msgspec.to_builtins(one), msgspec.to_builtins(other)
    return tuple(
        key.name
        for key in keys(Settings)
        if key.name.startswith(prefixes) and value_of(mine, key.name) != value_of(theirs, key.name)
    )
