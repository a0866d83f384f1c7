"""What a hot board does."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Rate = Annotated[float, Meta(gt=0, le=1000)]


class HeatSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a camera's frames become fewer while the processor is hot."""

    above_c: Annotated[
        float,
        Meta(
            ge=0,
            le=150,
            description="Degrees Celsius of the processor above which fewer frames are processed; 0 for never. A "
            "Raspberry Pi slows itself down at 80.",
        ),
    ] = 75.0
    below_c: Annotated[
        float, Meta(ge=0, le=150, description="Degrees below which they become more again; less than `above_c`.")
    ] = 70.0
    rates: Annotated[
        tuple[Rate, ...],
        Meta(min_length=1, description="Frames a second at most, step by step as it stays hot."),
    ] = (10.0, 5.0, 2.0)
    step_s: Annotated[
        float, Meta(ge=1, le=3600, description="Seconds between two steps: heat follows work slowly.")
    ] = 30.0
