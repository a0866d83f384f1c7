"""What corrupted faces cost a variant."""

from __future__ import annotations

import msgspec

from fer_bench.results.figures import Estimate
from fer_edge.evaluation import Paired
from fer_edge.metadata import Accuracy


class Corrupted(msgspec.Struct, frozen=True, kw_only=True):
    """A variant on faces that were corrupted in one way.

    Attributes:
        corruption: Such as "motion".
        severity: In words, such as "4 px".
        accuracy: With its 95 % Wilson interval.
        paired: Clean faces first, the same faces corrupted second: the gain is negative where accuracy is lost.
    """

    corruption: str
    severity: str
    accuracy: Accuracy
    paired: Paired


class Against(msgspec.Struct, frozen=True, kw_only=True):
    """What corruptions cost a variant in units of what they cost the reference.

    Attributes:
        reference: Title of the reference variant.
        ratio: Drop divided by the reference's, on the same corrupted faces; 0.5 is half of what the reference loses.
    """

    reference: str
    ratio: Estimate


class Robustness(msgspec.Struct, frozen=True, kw_only=True):
    """A variant on clean faces and under every corruption; the seed is that of the settings.

    Attributes:
        clean: Accuracy on the faces of 48 pixels, not corrupted.
        corrupted: Accuracy under each corruption.
        drop: Mean over the corruptions of the accuracy lost, -1..1; faces are drawn for the interval.
        against: Against the first variant; None for that one, and where the first loses nothing for sure.
    """

    clean: Accuracy
    corrupted: tuple[Corrupted, ...]
    drop: Estimate
    against: Against | None = None
