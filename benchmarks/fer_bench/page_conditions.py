"""Where and how it was measured, and whether the figures can be trusted, for the HTML page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fer_bench import speed
from fer_bench.results import Conditions, Result, State
from fer_train.judging.page import Section, Table


def lead(result: Result) -> list[str]:
    """Say in a few lines where, when and how it was measured."""
    where, how = result.conditions, result.settings
    parts = [
        where.processor if where.board else "",
        f"{where.processors} processor{'' if where.processors == 1 else 's'}",
        ", ".join(dict.fromkeys(row.runtime for row in result.rows if row.runtime)),
        f"at least {how.runs:,} faces of each variant, in {how.rounds} rounds in random order",
        result.time.replace("T", " ").replace("+00:00", " UTC"),
    ]
    states = [f"{name} {text}" for name, text in _states(where) if text]
    short = "Cut short by --quick: fewer faces than it takes to be sure of a tail." if how.quick else ""
    return [line for line in (_line(parts), _line(states), short) if line]


def problems(result: Result) -> Iterator[Section]:
    """Warn where the figures are not to be trusted."""
    if result.conditions.problems:
        text = "What is wrong with the conditions they were measured under:"
        yield Section("Do not trust these figures", (text,), points=result.conditions.problems, warning=True)


def conditions(result: Result) -> Table:
    """Give what the figures depend on besides the models; what the board does not tell is left out."""
    where, how, data = result.conditions, result.settings, result.data
    facts = [
        ("board", where.board),
        ("processor", where.processor),
        ("processors", f"{where.processors}{', pinned to them' if where.pinned else ''}"),
        ("system", where.system),
        ("versions", ", ".join(f"{name} {version}" for name, version in where.versions.items())),
        *_states(where),
        ("other processes", "not known" if where.others is None else f"kept {where.others:.2f} processors busy"),
        ("undisturbed", _pace(where)),
        ("energy", result.energy_meter or ""),
        ("data", f"{data.name}, {data.split}: {data.images:,} faces, SHA-256 {data.sha256}" if data else ""),
        (
            "effort",
            f"at least {how.runs:,} faces and {how.seconds:g} s of each variant, in {how.rounds} rounds; "
            f"{how.processes} fresh processes of each; seed {how.seed}{'; cut short by --quick' if how.quick else ''}",
        ),
        ("begun", result.time),
    ]
    files = {row.file: f"SHA-256 {row.sha256}" if row.sha256 else "could not be read" for row in result.rows}
    return Table((), [fact for fact in [*facts, *files.items()] if fact[1]])


def _states(where: Conditions) -> list[tuple[str, str]]:
    """Give what the board says of itself, before and after; "" for what it does not tell."""
    both = where.before, where.after
    return [
        ("temperature", _course([_temperature(one) for one in both])),
        ("throttled", _course(["" if one.throttled is None else ", ".join(one.throttled) or "no" for one in both])),
        ("frequency", _course([_frequency(one) for one in both])),
        ("governor", _course([one.governor or "" for one in both])),
        ("fixed work", _course([_speed(one) for one in both])),
    ]


def _pace(where: Conditions) -> str:
    if not where.slowness:
        return ""
    calm = sum(one <= speed.LIMIT for one in where.slowness)
    return f"{calm} of {len(where.slowness)} turns; waited {where.waited_s:.0f} s for that"


def _line(parts: Sequence[str]) -> str:
    return " · ".join(part for part in parts if part)


def _course(ends: Sequence[str]) -> str:
    before, after = ends
    return before if before == after else f"before: {before or 'unknown'}; after: {after or 'unknown'}"


def _speed(state: State) -> str:
    if state.arithmetic_us is None or state.memory_us is None:
        return ""
    return f"arithmetic {state.arithmetic_us:.0f} us, reading 16 MB {state.memory_us:.0f} us"


def _temperature(state: State) -> str:
    return "" if state.temperature is None else f"{state.temperature:.1f} °C"


def _frequency(state: State) -> str:
    if not state.megahertz:
        return ""
    low, high = min(state.megahertz), max(state.megahertz)
    return f"{low:.0f} MHz" if round(low) == round(high) else f"{low:.0f} to {high:.0f} MHz"
