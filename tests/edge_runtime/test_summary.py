from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fer_edge.box import Box
from fer_edge.summary import Summary
from fer_edge.types import Face, Result, StageTimes

FACE = Face(track=1, box=Box(0, 0, 10, 10), probabilities={"happy": 1.0})


def result(index: int, faces: int, dropped: int, ms: float) -> Result:
    return Result(
        frame=index,
        time=datetime(2026, 11, 21, tzinfo=UTC),
        source="test",
        age_ms=10 * ms,
        dropped=dropped,
        faces=(FACE,) * faces,
        ms=StageTimes(capture=ms, detect=2 * ms, classify=3 * ms, total=6 * ms),
    )


def test_counts_and_table() -> None:
    summary = Summary()
    with summary:
        for index, (faces, dropped) in enumerate([(1, 0), (0, 2), (2, 7)]):
            summary.add(result(index, faces, dropped, 1.0))
    assert (summary.frames, summary.faces, summary.dropped) == (3, 3, 7)
    assert summary.seconds > 0
    summary.seconds = 1.5
    assert str(summary) == (
        "frames 3, faces 3, 2.0 frames/s, dropped 7\n"
        "ms          p50    p90    p99    max\n"
        "--------  -----  -----  -----  -----\n"
        "capture    1.00   1.00   1.00   1.00\n"
        "detect     2.00   2.00   2.00   2.00\n"
        "classify   3.00   3.00   3.00   3.00\n"
        "total      6.00   6.00   6.00   6.00\n"
        "age       10.00  10.00  10.00  10.00"
    )


def test_a_run_without_frames() -> None:
    with Summary() as summary:
        pass
    assert str(summary) == "frames 0"


def test_the_clock_stops_where_the_run_fails() -> None:
    summary = Summary()
    summary.add(result(0, 1, 0, 1.0))
    with pytest.raises(OSError, match="full"), summary:
        raise OSError("full")
    assert summary.frames == 1
    assert summary.seconds > 0
