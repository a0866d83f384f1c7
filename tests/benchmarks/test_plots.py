from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest

from fer_bench.plots import strips, svg


@pytest.mark.parametrize("low", [1e-4, 0.3, 0.95, 1.0, 7.3, 480.0])
@pytest.mark.parametrize("span", [1.01, 1.1, 1.5, 2.0, 4.0, 9.9, 30.0, 1e3, 1e5])
def test_a_logarithmic_axis_has_some_ticks_within_its_limits(low: float, span: float) -> None:
    ticks = strips.log_ticks(low, low * span)
    assert 2 <= len(ticks) <= 7
    assert all(low <= tick <= low * span for tick in ticks)
    assert all(one < other for one, other in pairwise(ticks))


def test_limits_leave_room_also_around_a_single_value() -> None:
    for values in ([2.0], [0.1, 50.0], [0.0, 1.0]):
        low, high = strips.log_limits(values)
        assert 0 < low < high
        assert high > max(values)
        assert low < max(min(values), 1e-6)
    assert strips.from_zero(10.0) == (0.0, pytest.approx(10.4))
    assert strips.from_zero(10.0, -2.0) == (pytest.approx(-2.48), pytest.approx(10.48))
    assert strips.from_zero(0.0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("text", "length", "short"),
    [
        ("mobilenetv2-int8", 16, "mobilenetv2-int8"),
        ("mobilenetv2-int8, 2 threads", 15, "mobilen…threads"),
        ("abc", 1, "a…c"),
        ("a\x1bb\nc\N{NO-BREAK SPACE}d", 20, "a\N{REPLACEMENT CHARACTER}b c d"),
    ],
)
def test_names_are_cut_in_the_middle(text: str, length: int, short: str) -> None:
    assert svg.shorten(text, length) == short


def test_a_drawing_is_a_part_of_a_page() -> None:
    with svg.drawing():
        made = strips.strips([("<a> & $b$", "1 ms"), ("c", "")], 10, "ms", (0.0, 4.0))
        made.bar(0, 3, 0, color=svg.ACCENT)
        made.line(2, 1)
        written = svg.inline(made.figure, "one")
    root = ElementTree.fromstring(written)
    assert root.tag == "svg"
    assert root.attrib["viewBox"].split()[2] == f"{svg.WIDTH}"
    assert "xmlns" not in written
    assert {"metadata", "script", "image", "title"}.isdisjoint(one.tag for one in root.iter())
    assert {"<a> & $b$", "1 ms", "c", "ms", "4"} <= {"".join(text.itertext()) for text in root.iter("text")}


def test_strips_lie_one_below_the_other() -> None:
    with svg.drawing():
        made = strips.strips([("a", "")] * 3, 10, "ms", (0.1, 4.0), log=True)
    assert np.diff(made.bottoms).tolist() == [36.0, 36.0]
    assert made.axes.get_ylim()[0] > made.bottoms[-1]
