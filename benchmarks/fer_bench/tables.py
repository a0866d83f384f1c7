"""A result as tables, for the terminal and for a README."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tabulate import tabulate

from fer_bench import tables_robustness
from fer_bench.results import Estimate, Loops, Operator, Profile, Result, Row

_BAR = 16
_TOP = 10
_EIGHTHS = " ▏▎▍▌▋▊▉"

Cells = dict[str, Any]


def text(result: Result, *, top: bool = False) -> str:
    """Give everything for a terminal.

    Args:
        result: What was measured.
        top: Whether to list the operators that take longest.
    """
    longest = max((row.latency.p50.value for row in result.rows if row.latency), default=0.0)
    parts = [
        _table(result.rows, lambda row: _latency(row, longest)),
        _table(result.rows, _cost),
        _table(result.rows, _judged) if result.data else "",
        _table(result.rows, tables_robustness.cells),
        tables_robustness.by_corruption(result.rows),
        *(_profiles(result.rows, top=top)),
        _loops(result.loops) if result.loops else "",
        conditions(result),
    ]
    return "\n\n".join(part for part in parts if part)


def markdown(result: Result, command: str) -> str:
    """Give the tables for a README, with what they depend on.

    Args:
        result: What was measured.
        command: What measured it.
    """
    parts = [
        f"`{command}`, {result.time[:10]}: {conditions(result)}",
        _table(result.rows, lambda row: _latency(row, None), "github"),
        _table(result.rows, _cost, "github"),
        _table(result.rows, _judged, "github") if result.data else "",
        _table(result.rows, tables_robustness.cells, "github"),
        tables_robustness.by_corruption(result.rows, "github"),
        _loops(result.loops, "github") if result.loops else "",
        "\n".join(f"- {row.title}: {failure}" for row in result.rows for failure in row.failures),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def conditions(result: Result) -> str:
    """Say in a sentence or two where and how it was measured."""
    where, how = result.conditions, result.settings
    runtimes = ", ".join(dict.fromkeys(row.runtime for row in result.rows if row.runtime))
    temperatures = [state.temperature for state in (where.before, where.after) if state.temperature is not None]
    warm = f", {' to '.join(f'{one:.0f} °C' for one in temperatures)}" if temperatures else ""
    data = f" Accuracy on {result.data.split} of {result.data.name}, {result.data.images} faces." if result.data else ""
    short = " Cut short by --quick: fewer runs than MLPerf asks for." if how.quick else ""
    return (
        f"{where.board or where.processor}, {where.processors} processors{warm}; {runtimes}. "
        f"In {how.rounds} rounds, in random order; intervals are 95 %.{short}{data}"
    )


def _table(rows: Iterable[Row], cells: Callable[[Row], Cells], style: str = "simple") -> str:
    found = [{"variant": row.title, **cells(row)} for row in rows]
    # The first row tells tabulate the order of the columns, so it is one that has them all.
    names = list(dict.fromkeys(name for row in found for name in row))
    if len(names) == 1:
        return ""
    table = [[_written(row.get(name)) for name in names] for row in found]
    sides = ["left" if name in ("variant", "", "verdict", "most by") else "right" for name in names]
    return tabulate(table, headers=names, tablefmt=style, disable_numparse=True, colalign=sides)


def _written(cell: Any) -> str:
    # Here and not by tabulate, which would write a column of 0.300 as 0.3.
    return "-" if cell is None else f"{cell:,}" if isinstance(cell, int) else str(cell)


def _latency(row: Row, longest: float | None) -> Cells:
    found = row.latency
    if found is None:
        return {"p50 ms (95 %)": "failed"} if row.failures else {}
    return {
        "p50 ms (95 %)": _interval(found.p50, 3),
        **({} if longest is None else {"": bar(found.p50.value / longest)}),
        "p90 ms": f"{found.p90.value:.3f}",
        "p99 ms": f"{found.p99.value:.3f}",
        "max ms": f"{found.maximum:.3f}",
        "faces/s": round(found.faces_per_second.value),
        "time against the first": "1" if found.ratio is None else _interval(found.ratio.time, 3),
        "verdict": "" if found.ratio is None else found.ratio.verdict,
    }


def _cost(row: Row) -> Cells:
    cells: Cells = {}
    if row.cost is not None:
        cost = row.cost
        cells |= {
            "bytes": cost.bytes,
            "gzip": cost.gzip_bytes,
            "parameters": cost.parameters,
            "MMAC": f"{cost.multiply_accumulates / 1e6:.1f}",
            "arena kB": round(cost.arena_bytes / 1e3),
            "CPU s/1000": f"{cost.cpu_seconds:.3f}",
            **({} if cost.joules is None else {"J/1000": f"{cost.joules:.1f}"}),
        }
    if row.start is not None:
        start = row.start
        peak, empty = _middle(start.peak_bytes), _middle(start.empty_bytes)
        cells |= {
            "load ms": f"{_middle(start.load_ms):.1f}",
            "first ms": f"{_middle(start.first_ms):.2f}",
            "peak MB": f"{peak / 1e6:.1f}",
            "of it model MB": f"{(peak - empty) / 1e6:.1f}",
        }
    return cells


def _judged(row: Row) -> Cells:
    cells: Cells = {}
    if row.judgement is not None:
        found = row.judgement
        accuracy = found.accuracy
        cells |= {
            "accuracy % (95 %)": f"{100 * accuracy.value:.2f} ({100 * accuracy.low:.2f} to {100 * accuracy.high:.2f})",
            "macro F1": f"{found.macro_f1:.3f}",
            "calibration error": f"{found.calibration_error:.3f}",
        }
    if row.agreement is not None:
        agreement = row.agreement
        gain = agreement.paired
        cells |= {
            "same label %": f"{100 * (1 - agreement.flips / agreement.total):.2f}",
            "points gained (95 %)": f"{100 * gain.gain:+.2f} ({100 * gain.low:+.2f} to {100 * gain.high:+.2f})",
            "McNemar p": f"{gain.p_value:.2g}",
            "happy/angry flips": len(agreement.felt),
        }
    return cells


def _profiles(rows: Sequence[Row], *, top: bool) -> list[str]:
    found = [(row.title, row.profile) for row in rows if row.profile is not None]
    if not top:
        return ["\n".join(f"{title}: {_in_a_line(profile)}" for title, profile in found)]
    return [f"{title}: {_in_a_line(profile)}\n{operators(profile)}" for title, profile in found]


def _in_a_line(profile: Profile) -> str:
    own = [one.name for one in profile.operators if not one.delegated]
    rest = f"; not {', '.join(dict.fromkeys(own))}" if 0 < len(own) < len(profile.operators) else ""
    return f"XNNPACK runs {profile.delegated} of {len(profile.operators)} operators{rest}"


def operators(profile: Profile) -> str:
    """Give the operators that take longest as a table."""
    longest = longest_operators(profile)
    table = [
        {
            "#": one.index,
            "operator": one.name,
            "output": "x".join(map(str, one.shape)),
            "us": f"{1000 * one.ms:.1f}",
            "%": f"{100 * one.ms / profile.whole_ms:.1f}",
            "": bar(one.ms / longest[0].ms),
            "MMAC": f"{one.multiply_accumulates / 1e6:.2f}",
            "by": "XNNPACK" if one.delegated else "own kernel",
        }
        for one in longest
    ]
    return tabulate(table, headers="keys", disable_numparse=True)


def longest_operators(profile: Profile) -> list[Operator]:
    """Give the ten operators that take longest, longest first."""
    return sorted(profile.operators, key=lambda one: -one.ms)[:_TOP]


def _loops(loops: Loops, style: str = "simple") -> str:
    table = [
        {
            "loop": one.name,
            "frames": one.frames,
            "faces": one.faces,
            "dropped": one.dropped,
            "frames/s": f"{one.frames_per_second:.1f}",
            **{f"{name} p50 ms": f"{stage.p50:.2f}" for name, stage in one.stages.items()},
            "total p99 ms": f"{one.stages['total'].p99:.2f}",
            "of a search p50": f"{one.of_search.p50:.3f}",
            "mean": f"{one.of_search.mean:.3f}",
            "p99": f"{one.of_search.p99:.3f}",
            "time against the first": "1" if one.ratio is None else _interval(one.ratio.time, 2),
            "verdict": "" if one.ratio is None else one.ratio.verdict,
        }
        for one in loops.loops
    ]
    width, height = loops.size
    legend = "\n".join(f"{'- ' if style == 'github' else ''}{one.name}: {one.what}" for one in loops.loops)
    head = (
        f"{loops.source}, {width} x {height}, classified by {loops.model}. Frames without their fetching as shares of "
        f"one search of a whole picture by full-frame, {loops.search_ms:.2f} ms."
    )
    return f"{head}\n\n{tabulate(table, headers='keys', tablefmt=style, disable_numparse=True)}\n\n{legend}"


def bar(share: float) -> str:
    """Draw a share 0..1 in blocks of an eighth of a character."""
    eighths = round(max(0.0, min(1.0, share)) * _BAR * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _interval(found: Estimate, digits: int) -> str:
    return f"{found.value:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]
