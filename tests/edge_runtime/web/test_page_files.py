"""The files of the page: nothing inline, nothing from elsewhere, and all words in one place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fer_edge
from fer_edge.labels import EXPRESSIONS

PAGE = Path(fer_edge.__file__).parent / "web" / "page"
FILES = sorted(PAGE.iterdir())
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
WORDS: dict[str, Any] = json.loads((PAGE / "words.json").read_text())
# Asked for by names that are put together.
_COMPOSED = ("status", "stage", "expression")


def test_a_page_is_there() -> None:
    assert {path.suffix for path in FILES} == {".html", ".css", ".js", ".json", ".svg"}
    assert sum(path.stat().st_size for path in FILES) < 100_000


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    addresses = set(re.findall(r"\b(?:https?|wss?):[^\s\"'`)]*", path.read_text()))
    # The name of a namespace, and protocols that are compared.
    assert addresses <= {"http://www.w3.org/2000/svg", "https:", "wss:", "ws:"}
    assert "//cdn" not in path.read_text()


def test_nothing_is_inline() -> None:
    text = (PAGE / "index.html").read_text()
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", text) == []
    assert re.findall(r"<script[^>]*>[^<]", text) == []
    assert re.findall(r"<script[^>]*src=\"([^\"]+)\"", text) == ["page/app.js"]


def test_all_that_is_named_is_there() -> None:
    names = {path.name for path in FILES}
    for path in [PAGE / "index.html", *SCRIPTS]:
        text = path.read_text()
        assert set(re.findall(r"\"(?:\./|page/)([\w.-]+)\"", text)) <= names, path.name
        for ident in re.findall(r"getElementById\(\"([\w-]+)\"\)", text):
            assert f'id="{ident}"' in (PAGE / "index.html").read_text(), ident


def keys(words: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in words.items():
        if isinstance(value, dict) and not {"other"} <= value.keys():
            yield from keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def asked_for() -> set[str]:
    text = "".join(path.read_text() for path in [PAGE / "index.html", *SCRIPTS])
    # say("key"), data-word="key", and keys that are chosen first and said later.
    return set(re.findall(r"\"([a-z_]+(?:\.[a-z_]+)?)\"", text))


def test_each_word_is_used_and_there() -> None:
    there = set(keys(WORDS))
    plain = {key for key in there if not key.startswith(tuple(f"{name}." for name in _COMPOSED))} - {"language"}
    assert plain - asked_for() == set()
    text = "".join(path.read_text() for path in [PAGE / "index.html", *SCRIPTS])
    said = set(re.findall(r"say\(\"([\w.]+)\"", text)) | set(re.findall(r"data-(?:word|label)=\"([\w.]+)\"", text))
    assert said - there == set()
    assert len(said) > 40
    kinds = set(re.findall(r"status\(\"(\w+)\"\)", text))
    assert kinds <= WORDS["status"].keys()
    assert set(WORDS["expression"]) == {*EXPRESSIONS, "uncertain"}


def test_no_english_is_anywhere_else() -> None:
    text = (PAGE / "index.html").read_text()
    body = re.sub(r"<!--.*?-->", "", text[text.index("<body") :], flags=re.DOTALL)
    assert {word.strip() for word in re.findall(r">([^<>]*[A-Za-z][^<>]*)<", body)} == {"fer-edge"}


def test_every_expression_has_its_colours() -> None:
    light, dark = ((PAGE / name).read_text() for name in ("style.css", "dark.css"))
    for label in (*EXPRESSIONS, "uncertain"):
        for shade in ("deep", "bright"):
            assert re.search(rf"--{shade}-{label}: #[0-9a-f]{{6}};", light), label
        assert f"--on-{label}: var(--deep-{label});" in light
        assert f"--on-{label}: var(--bright-{label});" in dark
