"""The page as a browser shows it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from example_result import DRAWINGS, example
from fer_bench import page

WIDTHS, SCHEMES = (390, 1440), ("light", "dark")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("page") / "page.html"
    file.write_bytes(page.write(example()))
    return file.as_uri()


@pytest.fixture(scope="module", params=[(width, scheme) for width in WIDTHS for scheme in SCHEMES], ids=str)
def opened(request: pytest.FixtureRequest, chromium: Any, address: str) -> Iterator[Any]:
    """Give the page in a browser, with what went wrong and what was asked for as `told` and `asked`."""
    width, scheme = request.param
    tab = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab.told, tab.asked = [], []
    tab.on("console", lambda message: tab.told.append(message.text))
    tab.on("pageerror", lambda error: tab.told.append(str(error)))
    tab.on("request", lambda one: tab.asked.append(one.url))
    tab.goto(address)
    yield tab
    tab.close()


def test_a_browser_has_nothing_to_complain_of(opened: Any, address: str) -> None:
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    opened.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
    assert opened.told == []
    assert opened.asked == [address]


def test_nothing_is_wider_than_the_screen(opened: Any) -> None:
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    lefts = opened.evaluate("[...document.querySelectorAll('svg')].map(one => one.getBoundingClientRect().right)")
    assert max(lefts) <= opened.viewport_size["width"]
    assert opened.evaluate(MAIN_TABLE_FITS) is (opened.viewport_size["width"] == 1440)


MAIN_TABLE_FITS = "(one => one.scrollWidth <= one.clientWidth)(document.querySelector('.wide'))"
# For each drawing its size, and for each of its texts: size on the screen, whether it is within the drawing, its place
# unless it is turned, and its contrast with what is painted below it (WCAG 2.2).
LOOK = """
() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const linear = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const painted = (x, y, base) => document.elementsFromPoint(x, y).reverse().reduce((below, one) => {
    const style = getComputedStyle(one);
    if (!(one instanceof SVGGeometryElement) || style.fill === 'none') return below;
    const alpha = Number(style.opacity) * Number(style.fillOpacity);
    return numbers(style.fill).slice(0, 3).map((value, at) => alpha * value + (1 - alpha) * below[at]);
  }, base);
  return [...document.querySelectorAll('figure svg')].map(svg => {
    svg.scrollIntoView({block: 'center'});
    const card = numbers(getComputedStyle(svg.closest('section')).backgroundColor).slice(0, 3);
    const whole = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].map(text => {
      const box = text.getBoundingClientRect(), matrix = text.getScreenCTM(), style = getComputedStyle(text);
      const turned = Math.abs(matrix.b) > 1e-3;
      return {
        text: text.textContent,
        size: parseFloat(style.fontSize) * Math.hypot(matrix.a, matrix.b),
        outside: Math.max(whole.left - box.left, box.right - whole.right, whole.top - box.top,
                          box.bottom - whole.bottom),
        place: turned ? null : [box.left, box.top, box.right, box.bottom],
        contrast: contrast(numbers(style.fill).slice(0, 3),
                           painted((box.left + box.right) / 2, (box.top + box.bottom) / 2, card)),
      };
    });
    return {width: whole.width, height: whole.height, texts};
  });
}
"""


def overlap(one: list[float], other: list[float]) -> float:
    """Give by how many pixels two boxes overlap in the direction in which they do so less."""
    return min(min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1]))


def test_the_text_of_figures_can_be_read(opened: Any) -> None:
    figures = opened.evaluate(LOOK)
    assert len(figures) == DRAWINGS
    for figure in figures:
        assert figure["width"] >= 300
        assert figure["height"] >= 80
        assert figure["texts"]
        for text in figure["texts"]:
            assert text["size"] >= 9, text
            assert text["outside"] <= 1, text
            assert text["contrast"] >= 4.5, text
        level = [text for text in figure["texts"] if text["place"]]
        for number, text in enumerate(level):
            for other in level[number + 1 :]:
                # Boxes of letters are as high as a line, the letters are not.
                assert overlap(text["place"], other["place"]) < 3, (text, other)


def test_figures_are_drawn(opened: Any) -> None:
    hidden = opened.add_style_tag(content="svg text { visibility: hidden; }")
    for number, element in enumerate(opened.query_selector_all("figure svg")):
        picture = cv2.imdecode(np.frombuffer(element.screenshot(), np.uint8), cv2.IMREAD_COLOR)
        background = np.median(picture.reshape(-1, 3), axis=0)
        marks = np.abs(picture.astype(np.int16) - background).max(axis=2) > 60
        colored = np.ptp(picture.astype(np.int16), axis=2) > 40
        assert marks.mean() > 0.002, number
        # The ratios are dots, and the operators of the variant without XNNPACK outlines.
        assert colored.mean() > (0.0003 if number in (2, 16) else 0.005), number
    hidden.evaluate("one => one.remove()")


def test_dark_is_dark(opened: Any) -> None:
    shot = cv2.imdecode(np.frombuffer(opened.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    dark = opened.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert (np.median(shot) < 60) if dark else (np.median(shot) > 200)


def test_names_stay_in_sight_while_a_table_is_scrolled(opened: Any) -> None:
    place = "document.querySelector('.wide tbody th').getBoundingClientRect().left"
    before = opened.evaluate(place)
    opened.evaluate("document.querySelector('.wide').scrollLeft = 300")
    assert opened.evaluate(place) == pytest.approx(before, abs=1)


def test_it_can_be_printed(chromium: Any, address: str, tmp_path: Path) -> None:
    # The width of the paper's long side without margins.
    tab = chromium.new_page(viewport={"width": 1031, "height": 700}, color_scheme="dark")
    tab.goto(address)
    tab.emulate_media(media="print", color_scheme="dark")
    # Whoever reads in the dark prints in black on white.
    assert tab.evaluate("getComputedStyle(document.body).color") == "rgb(28, 30, 33)"
    assert tab.evaluate("getComputedStyle(document.querySelector('svg text')).fill") == "rgb(90, 96, 104)"
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert tab.evaluate(MAIN_TABLE_FITS)
    printed = tab.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert 5 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 14
    tab.close()
