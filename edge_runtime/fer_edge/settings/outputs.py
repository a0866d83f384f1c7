"""Where results go."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Name = Literal["console", "jsonl"]


class OutputSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where results go."""

    to: Annotated[
        tuple[Name, ...],
        Meta(
            min_length=1,
            description="Outputs, each once. console: a readable line a frame; jsonl: one JSON object a line.",
        ),
    ] = ("console",)
