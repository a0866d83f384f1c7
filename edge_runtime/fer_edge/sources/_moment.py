"""When a frame of a file was fetched, and what that cost."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import msgspec

from fer_edge.preprocessing import Pixels
from fer_edge.types import Frame


class Moment(msgspec.Struct, frozen=True):
    """The moment at which a source begins to fetch a frame: a file has no other time of capture.

    Attributes:
        ns: By the monotonic clock.
        at: By the wall clock, UTC.
    """

    ns: int = msgspec.field(default_factory=time.monotonic_ns)
    at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))

    def frame(self, index: int, source: str, image: Pixels, at_s: float | None = None) -> Frame:
        """Make the frame that has been fetched since; for `at_s` see `Frame`."""
        return Frame(
            index=index,
            source=source,
            image=image,
            captured_ns=self.ns,
            captured_at=self.at,
            capture_ms=(time.monotonic_ns() - self.ns) / 1e6,
            at_s=at_s,
        )
