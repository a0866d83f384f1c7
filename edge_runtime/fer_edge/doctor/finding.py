"""What a check found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

Level = Literal["ok", "warning", "failure"]
LEVELS: tuple[Level, ...] = ("ok", "warning", "failure")


class Finding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the report.

    Attributes:
        check: What was looked at, such as "temperature"; several findings may share it.
        level: "warning": it works, but worse than it could, or not for long. "failure": something does not work.
        found: What there is, in one line.
        advice: What to do about it, in one line; None where all is well.
    """

    check: str
    level: Level
    found: str
    advice: str | None = None


def ok(check: str, found: str) -> Finding:
    """Tell that all is well."""
    return Finding(check=check, level="ok", found=_line(found))


def warning(check: str, found: str, advice: str) -> Finding:
    """Tell what could be better."""
    return Finding(check=check, level="warning", found=_line(found), advice=_line(advice))


def failure(check: str, found: str, advice: str) -> Finding:
    """Tell what does not work."""
    return Finding(check=check, level="failure", found=_line(found), advice=_line(advice))


def worst(findings: Iterable[Finding]) -> Level:
    """Give the worst level among findings; "ok" where there are none."""
    return max((one.level for one in findings), key=LEVELS.index, default="ok")


def _line(text: str) -> str:
    """Make one line of what may be an error message of many."""
    joined = " ".join(text.split())
    return joined if len(joined) <= 400 else f"{joined[:397]}..."
