"""Figures with their uncertainty."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["faster", "slower", "no difference shown"]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A figure with its 95 % bootstrap interval; of times rounds are drawn, since neighbouring samples are alike.

    Attributes:
        value: Of all samples.
        low: Lower end.
        high: Upper end.
    """

    value: float
    low: float
    high: float


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """How long a variant takes in units of the reference's time, compared round by round.

    Attributes:
        reference: Title of the reference variant.
        time: Median over the rounds of the ratio of their medians; below 1 is faster.
        verdict: What the interval shows.
    """

    reference: str
    time: Estimate
    verdict: Verdict
