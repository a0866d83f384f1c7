"""Configuration, what a user writes as a source, and data sets in text."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from hypothesis import strategies as st

from fer_edge.self_test import face
from fer_edge.settings import Settings
from fer_edge.settings.keys import keys
from mutating import NUMBERS, damaged

NAMES = [key.name for key in keys(Settings)]
WHOLE = "".join(f"{key.name} = {msgspec.json.encode(key.default).decode()}\n" for key in keys(Settings)).encode()
VALUES = st.one_of(
    st.floats().map(str),
    st.integers().map(str),
    st.text(max_size=30).map(lambda text: msgspec.json.encode(text).decode()),
    st.sampled_from(["nan", "inf", "-inf", "[]", "{}", "true", '""', '"\\u0000"', "1979-05-27T07:32:00Z", "[[1]]"]),
    st.recursive(
        st.integers().map(str), lambda inner: st.lists(inner, max_size=4).map(lambda of: f"[{', '.join(of)}]")
    ),
)
DOCUMENTS = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(NAMES), st.text(string.ascii_letters + "._-", min_size=1, max_size=20)), VALUES
    ),
    max_size=6,
).map(lambda rows: "".join(f"{name} = {value}\n" for name, value in rows).encode(errors="surrogatepass"))

HARMFUL = {
    "nested lists": b"a=" + b"[" * 4_000,
    "nested tables": b"a=" + b"{a=" * 1_000,
    "a long key": b"a" * 60_000 + b"=1",
    "a deep key": b".".join([b"a"] * 20_000) + b"=1",
    "deep keys": b"\n".join(b".".join([b"a"] * 1_900) + b".b%d=1" % number for number in range(16)),
    "a deep value": b"loop.raw." + b".".join([b"a"] * 1_900) + b"=1",
    "a long number": b"a=" + b"9" * 4_000,
    "a longer number": b"a=" + b"9" * 60_000,
    "a long text": b'loop.raw="' + b"a" * 60_000 + b'"',
    "mistakes by the thousand": b"\n".join(b"k%d=1" % number for number in range(6_000)),
    "tables by the thousand": b"\n".join(b"[a.b%d]" % number for number in range(5_000)),
    "two megabytes": b"#" * (2 << 20),
    "no UTF-8": b"a='\xff\xfe'",
}


@pytest.mark.parametrize("case", HARMFUL)
def test_configurations_made_to_do_harm_are_refused(case: str, readers: Any) -> None:
    assert readers.judge("configuration", HARMFUL[case], "c.toml")["told"].startswith("told: ")


def test_any_configuration(readers: Any, search: Any) -> None:
    assert readers.judge("configuration", WHOLE)["told"] == "ok"
    cases = st.one_of(damaged((WHOLE,), text=True), DOCUMENTS, st.binary(max_size=200))
    search(cases, lambda case: readers.judge("configuration", case), 100)


RECIPE = b"""\
summary = "a student"
[[step]]
name = "teacher"
[step.fit]
arch = "cnn-1"
[[step]]
name = "student"
[step.distil]
teacher = ["teacher"]
head = [128, 64]
[convert]
int8 = true
"""


@pytest.mark.parametrize("case", HARMFUL)
def test_recipes_made_to_do_harm_are_refused(case: str, readers: Any) -> None:
    assert readers.judge("recipe", HARMFUL[case], "r.toml")["told"].startswith("told: ")


def test_any_recipe(readers: Any, search: Any) -> None:
    assert readers.judge("recipe", RECIPE, "r.toml")["told"] == "ok"
    cases = st.one_of(damaged((RECIPE,), text=True), DOCUMENTS, st.binary(max_size=200))
    search(cases, lambda case: readers.judge("recipe", case, "r.toml"), 100)


def test_any_environment_and_assignment(readers: Any, search: Any) -> None:
    values = st.one_of(
        VALUES.map(lambda text: text.encode(errors="surrogatepass")), st.binary(max_size=30), st.sampled_from(NUMBERS)
    )
    lines = st.tuples(st.sampled_from([*(name.encode() for name in NAMES), b"x", b""]), values).map(b"=".join)
    search(st.lists(lines, max_size=8).map(b"\n".join), lambda case: readers.judge("assignments", case), 60)


SOURCES = [
    b"auto",
    b"demo",
    b"0",
    b"v4l2:0",
    b"picamera2:1",
    b"rtsp://u:p@h:1/x",
    b"http://[::1]/",
    b"faces/*.jpg",
    b"**/a",
    b"image:a.jpg",
    b"folder:**a",
    b"video:a",
    b"stream:http://[",
    b"/dev/video0",
    b"~",
    b"a\0b",
    b"[",
    b"9" * 5000,
    b"a" * 5000,
]


def test_any_source(readers: Any, search: Any) -> None:
    for one in SOURCES:
        readers.judge("source", one)
    # Relative: a pattern may be any, and is not to search the machine.
    cases = st.one_of(damaged(SOURCES, text=True), st.text(max_size=40).map(lambda text: text.encode(errors="ignore")))
    search(cases.filter(lambda case: b"/" not in case[:8]), lambda case: readers.judge("source", case), 80)


def csv(rows: int = 20) -> bytes:
    lines = ["emotion,pixels,Usage"]
    for number in range(rows):
        pixels = " ".join(map(str, face(number + 1, 48, 48).ravel().tolist()))
        lines.append(f"{number % 7},{pixels},{'PublicTest' if number > 13 else 'Training'}")
    return "\n".join(lines).encode()


def test_any_fer2013_csv(readers: Any, search: Any) -> None:
    whole = csv(28)
    assert readers.judge("fer2013", whole, "fer2013.csv")["told"] == "ok"
    search(
        damaged((whole,), places=(range(60), range(-20, 0)), text=True),
        lambda case: readers.judge("fer2013", case, "fer2013.csv"),
        60,
    )


VOTES = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF\n"
    + "".join(
        f"{'PublicTest' if number > 13 else 'Training'},fer{number}.png,"
        + ",".join("5" if column == number % 7 else "0" for column in range(10))
        + "\n"
        for number in range(28)
    )
).encode()


def test_any_votes(readers: Any, search: Any, tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_bytes(csv(28))
    path = tmp_path / "fer2013new.csv"

    def check(case: bytes) -> Any:
        path.write_bytes(case)
        return readers.judge_file("ferplus", path)

    assert check(VOTES)["told"] == "ok"
    search(damaged((VOTES,), places=(range(90),), text=True), check, 60)


def test_any_expw_list(readers: Any, search: Any, tmp_path: Path) -> None:
    for number in range(28):
        cv2.imwrite(str(tmp_path / f"{number}.jpg"), np.pad(face(number + 1, 48, 48), 8, "edge"))
    whole = "".join(f"{number}.jpg 0 8 8 56 56 99.5 {number % 7}\n" for number in range(28)).encode()
    path = tmp_path / "label.lst"

    def check(case: bytes) -> Any:
        path.write_bytes(case)
        return readers.judge_file("expw", path)

    assert check(whole)["told"] == "ok"
    assert "does not lie in the folder" in check(b"../../etc/x.jpg 0 8 8 56 56 99 1\n" + whole)["told"]
    assert "does not lie in the folder" in check(b"/etc/x.jpg 0 8 8 56 56 99 1\n" + whole)["told"]
    search(damaged((whole,), text=True), check, 80)


@pytest.mark.parametrize("reader", ["fer2013", "expw"])
def test_a_list_without_lines_is_not_taken_into_memory(reader: str, readers: Any, tmp_path: Path) -> None:
    path = tmp_path / ("a.csv" if reader == "fer2013" else "label.lst")
    with path.open("wb") as file:
        file.write(b"emotion,pixels,Usage\n" if reader == "fer2013" else b"")
        file.truncate(1 << 33)
    assert readers.judge_file(reader, path)["told"].startswith("told: ")
