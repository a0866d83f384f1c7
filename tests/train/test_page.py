from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import cv2
import numpy as np
import pytest

from fer_train.judging.page import Cell, Drawing, Section, Table, page

PICTURE = cv2.imencode(".png", np.zeros((20, 30), np.uint8))[1].tobytes()


class Reader(HTMLParser):
    """Collects elements and texts."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, Any]]] = []
        self.texts: list[str] = []
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def read() -> Reader:
    sections = (
        Section("Words", ("one", "<script>alert('two')</script>")),
        Section("Numbers", table=Table(("name", "a < b"), (("x", 1), ("y & z", None)))),
        Section("Plain", table=Table((), (("k", "v"),))),
        Section("Picture", picture=PICTURE, alt='a "black" square'),
    )
    return Reader(page("<Mine> & yours", sections))


def test_what_is_given_stays_text(read: Reader) -> None:
    texts = "|".join(read.texts)
    for text in ("<Mine> & yours", "<script>alert('two')</script>", "a < b", "y & z", "None", "k|v"):
        assert text in texts
    assert read.all("script") == []
    assert read.texts.count("<Mine> & yours") == 2  # title and heading


def test_the_page_needs_nothing_beside_it(read: Reader) -> None:
    assert [name for name in ("link", "iframe", "object", "base", "a") if read.all(name)] == []
    sources = [
        value for _, attributes in read.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert len(sources) == 1
    assert sources[0].startswith("data:image/png;base64,")
    assert "url(" not in "".join(read.texts)
    policy = next(one["content"] for one in read.all("meta") if one.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:")


def test_pictures_have_words_and_their_size(read: Reader) -> None:
    (image,) = read.all("img")
    assert (image["alt"], image["width"], image["height"]) == ('a "black" square', "30", "20")


def test_tables_are_tables(read: Reader) -> None:
    assert len(read.all("table")) == 2
    assert [one["scope"] for one in read.all("th")] == ["col", "col", "row", "row", "row"]
    assert len(read.all("td")) == 3


def test_it_follows_the_readers_screen(read: Reader) -> None:
    assert any(one.get("name") == "viewport" and "width=device-width" in one["content"] for one in read.all("meta"))
    assert "prefers-color-scheme: dark" in "".join(read.texts)
    assert read.all("html") == [{"lang": "en"}]


def test_a_picture_without_words_is_refused() -> None:
    with pytest.raises(ValueError, match="the picture of 'Face' has no alt text"):
        Section("Face", picture=PICTURE)


SVG = '<svg viewBox="0 0 30 20"><path d="M0 0 L30 20"></path></svg>'


def test_a_cell_may_say_more_than_one_thing() -> None:
    table = Table(
        ("name", Cell("p50", ("<ms>",))),
        (("x", Cell(1.5, ("1 to 2", "slower"), "bad")), ("y", Cell("2", ("a & b",)))),
    )
    read = Reader(page("Mine", (Section("Numbers", table=table),)))
    assert read.texts[-9:] == ["p50", "<ms>", "x", "1.5", "1 to 2", "slower", "y", "2", "a & b"]
    assert [one.get("class") for one in read.all("small")] == [None, None, "bad", None]


def test_drawings_have_words_and_the_same_in_figures() -> None:
    drawing = Drawing('A "b" <c>', SVG, 'a "line"', "below", Table(("n",), (("7",),)))
    read = Reader(page("Mine", (Section("Drawn", drawings=(drawing, Drawing("Plain", SVG, "again"))),)))
    assert len(read.all("figure")) == len(read.all("figcaption")) == len(read.all("svg")) == 2
    assert [one["aria-label"] for one in read.all("div") if one.get("role") == "img"] == ['a "line"', "again"]
    assert 'A "b" <c>' in read.texts
    assert read.texts[read.texts.index("In figures") + 1 :] == ["n", "7", "Plain"]
    assert len(read.all("details")) == 1
    with pytest.raises(ValueError, match="the drawing 'Plain' has no alt text"):
        Drawing("Plain", SVG, "")


def test_warnings_lists_and_a_lead_stand_out() -> None:
    sections = (Section("Bad", points=("<one>", "two"), warning=True), Section("Good"))
    read = Reader(page("Mine", sections, ("when & where",)))
    assert [one.get("class") for one in read.all("section")] == ["warning", None]
    assert [one for one in read.texts if one in ("<one>", "two")] == ["<one>", "two"]
    assert [one for one in read.texts if one in ("Mine", "when & where", "Bad")][1:] == ["Mine", "when & where", "Bad"]
    assert len(read.all("li")) == 2


def test_a_wide_page_is_wide_on_paper_too(read: Reader) -> None:
    style = "".join(Reader(page("Mine", (), wide=True)).texts)
    assert "92rem" in style
    assert "landscape" in style
    assert "landscape" not in "".join(read.texts)
