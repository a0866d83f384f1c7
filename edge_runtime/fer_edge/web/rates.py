"""How often a client may do something."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

# Addresses that are remembered; who has as many can forget his own.
_REMEMBERED = 4096


class Rates:
    """Gives each client so much at once, and so much more with time (token bucket)."""

    def __init__(self, at_once: int, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Know no client.

        Args:
            at_once: Times that a client who comes back after long may do it.
            per_s: Times a second from then on.
            clock: Gives seconds of a clock that does not jump.
        """
        self._at_once, self._per_s, self._clock = at_once, per_s, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> bool:
        """Tell whether a client may, and count that he did."""
        left, now = self._now(client), self._clock()
        self._left[client] = (max(0.0, left - 1) if left >= 1 else left, now)
        self._left.move_to_end(client)
        while len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return left >= 1

    def spent(self, client: str) -> bool:
        """Tell whether a client may not, counting nothing."""
        return self._now(client) < 1

    def _now(self, client: str) -> float:
        left, then = self._left.get(client, (float(self._at_once), 0.0))
        if client not in self._left:
            return left
        return min(float(self._at_once), left + (self._clock() - then) * self._per_s)
