"""Whether anything got worse since an earlier result, by intervals and not by points."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from fer_bench import speed, statistics
from fer_bench.results import FORMAT_VERSION, Result, Row
from fer_edge import evaluation, files
from fer_edge.errors import FerError


class _Versioned(msgspec.Struct):
    format_version: int


def load(path: Path) -> Result:
    """Read a result that `fer-bench --json` wrote.

    Raises:
        FerError: The file cannot be read, is no such result, or is of another version of its format.
    """
    content = files.read_bytes(path, "baseline")
    try:
        version = msgspec.json.decode(content, type=_Versioned).format_version
        if version != FORMAT_VERSION:
            raise FerError(
                f"{path} is a result of format {version}, this fer-bench reads {FORMAT_VERSION}: measure it again"
            )
        return msgspec.json.decode(content, type=Result)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FerError(f"{path} is no result of 'fer-bench --json': {error}") from error


def differing(now: Result, then: Result) -> list[str]:
    """Tell what makes two results no comparison: another machine, or one whose figures are not to be trusted."""
    pairs = {
        "board": (now.conditions.board, then.conditions.board),
        "processor": (now.conditions.processor, then.conditions.processor),
        "processors": (now.conditions.processors, then.conditions.processors),
        "governor": (now.conditions.before.governor, then.conditions.before.governor),
    }
    found = [f"{name} {theirs!r} then, {ours!r} now" for name, (ours, theirs) in pairs.items() if ours != theirs]
    found += _speeds(now, then)
    for when, result in (("then", then), ("now", now)):
        found += [f"{problem} ({when})" for problem in result.conditions.problems]
    return found


def _speeds(now: Result, then: Result) -> list[str]:
    """Tell where the machine itself was faster or slower than then, by fixed work."""
    found = []
    for what, name in (("arithmetic", "arithmetic_us"), ("reading memory", "memory_us")):
        states = ((one.conditions.before, one.conditions.after) for one in (now, then))
        ours, theirs = ([time for one in both if (time := getattr(one, name)) is not None] for both in states)
        # The shorter of before and after: a moment's disturbance is no other machine.
        if ours and theirs and not 1 / speed.LIMIT <= min(ours) / min(theirs) <= speed.LIMIT:
            found.append(f"{what} took {min(theirs):.0f} us then, {min(ours):.0f} us now")
    return found


def worse(now: Result, then: Result, limit: float) -> list[str]:
    """Name what got worse.

    Times, memory and size are worse where all of the interval is beyond the limit; accuracy, where both were judged
    on the same faces, where the paired 95 % interval lies below 0.

    Args:
        now: The new result.
        then: The earlier one.
        limit: How much worse may be, as a share: 0.05 is 5 %.

    Raises:
        FerError: They have no variant in common.
    """
    earlier = {row.title: row for row in then.rows}
    common = [(row, earlier[row.title]) for row in now.rows if row.title in earlier]
    if not common:
        raise FerError(
            f"the baseline has {', '.join(earlier) or 'no variant'}, measured are "
            f"{', '.join(row.title for row in now.rows)}: no variant in common"
        )
    same_faces = now.data is not None and then.data is not None and now.data.sha256 == then.data.sha256
    found = []
    for ours, theirs in common:
        found += [f"{ours.title}: {what}" for what in _slower(ours, theirs, limit, now.settings.seed)]
        found += [f"{ours.title}: {what}" for what in _larger(ours, theirs, limit)]
        if same_faces and now.data is not None:
            found += [f"{ours.title}: {what}" for what in _less_right(ours, theirs, now.data.truth)]
    return found


def _slower(now: Row, then: Row, limit: float, seed: int) -> Iterator[str]:
    if now.latency is None or then.latency is None:
        return
    for percent in (50, 90):
        ratio = statistics.ratio_apart(now.latency.rounds_ms, then.latency.rounds_ms, percent, seed)
        if ratio.low > 1 + limit:
            yield f"p{percent} takes {ratio.value:.3f} times as long (95 %: {ratio.low:.3f} to {ratio.high:.3f})"


def _larger(now: Row, then: Row, limit: float) -> Iterator[str]:
    if now.cost and then.cost and now.cost.bytes > (1 + limit) * then.cost.bytes:
        yield f"{now.cost.bytes:,} bytes, {then.cost.bytes:,} before"
    if now.start and then.start and min(now.start.peak_bytes) > (1 + limit) * max(then.start.peak_bytes):
        yield f"peak memory {min(now.start.peak_bytes):,} bytes at least, {max(then.start.peak_bytes):,} at most before"


def _less_right(now: Row, then: Row, truth: tuple[int, ...]) -> Iterator[str]:
    if now.judgement is None or then.judgement is None:
        return
    ours, theirs = (np.asarray(row.judgement.predicted) == truth for row in (now, then) if row.judgement)
    paired = evaluation.paired(theirs, ours)
    if paired.high < 0:
        low, high = 100 * paired.low, 100 * paired.high
        yield f"accuracy changed by {100 * paired.gain:.2f} points (95 %: {low:.2f} to {high:.2f})"
