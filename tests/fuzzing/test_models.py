"""Model files: the archive with the description, and the flatbuffer that native code reads."""

from __future__ import annotations

import io
import json
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fer_edge.metadata import attach, read_model
from mutating import damaged

FLATBUFFER = b"\x1c\0\0\0TFL3" + bytes(100)


@pytest.fixture(scope="module")
def flatbuffer(model_path: Path) -> bytes:
    content, _ = read_model(model_path)
    with zipfile.ZipFile(io.BytesIO(content)) as members:
        return content[: min(member.header_offset for member in members.infolist())]


@pytest.fixture(scope="module")
def described(model_path: Path) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(read_model(model_path)[1])
    return plain


def archive(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO(FLATBUFFER)
    with zipfile.ZipFile(stream, "a", compression) as written:
        for name, content in members:
            written.writestr(name, content)
    return stream.getvalue()


def bomb(_plain: dict[str, Any]) -> bytes:
    """Give a gigabyte of spaces in a megabyte."""
    stream = io.BytesIO(FLATBUFFER)
    with (
        zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as written,
        written.open("metadata.json", "w", force_zip64=True) as member,
    ):
        for _ in range(1 << 6):
            member.write(b" " * (1 << 24))
    return stream.getvalue()


def bomb_that_lies(plain: dict[str, Any]) -> bytes:
    """Give the same, whose headers say that it is 100 bytes."""
    content = bytearray(bomb(plain))
    entry = content.rfind(b"PK\1\2")
    content[entry + 24 : entry + 28] = struct.pack("<I", 100)
    return bytes(content)


def of_json(text: bytes) -> bytes:
    return archive(("metadata.json", text), ("labels.txt", b"a\nb\n"), ("model.sha256", b"0" * 64))


def changed(**fields: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda plain: of_json(json.dumps(plain | fields).encode())


def input_of(**fields: Any) -> Callable[[dict[str, Any]], bytes]:
    return lambda plain: of_json(json.dumps(plain | {"input": plain["input"] | fields}).encode())


def encrypted(_plain: dict[str, Any]) -> bytes:
    content = bytearray(of_json(b"{}"))
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.find(mark) + flags] |= 1
    return bytes(content)


def a_million_members(_plain: dict[str, Any]) -> bytes:
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    entries = entry * 1_000_000
    return FLATBUFFER + entries + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(entries), 108, 0)


def a_million_members_by_zip64(plain: dict[str, Any]) -> bytes:
    whole = a_million_members(plain)
    size = len(whole) - 22 - 108
    end_64 = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 1_000_000, 1_000_000, size, 108)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(whole) - 22, 1)
    return whole[:-22] + end_64 + locator + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, 46, 108, 0)


def overlapping(_plain: dict[str, Any]) -> bytes:
    """Point each entry of the list at the same member."""
    content = bytearray(of_json(b"{}"))
    place = -1
    while (place := content.find(b"PK\1\2", place + 1)) >= 0:
        content[place + 42 : place + 46] = struct.pack("<I", len(FLATBUFFER))
    return bytes(content)


CRAFTED: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "bomb": bomb,
    "bomb that lies": bomb_that_lies,
    "a million members": a_million_members,
    "a million members by ZIP64": a_million_members_by_zip64,
    "encrypted": encrypted,
    "overlapping members": overlapping,
    "LZMA": lambda plain: archive(("metadata.json", json.dumps(plain).encode()), compression=zipfile.ZIP_LZMA),
    "BZIP2": lambda plain: archive(("metadata.json", json.dumps(plain).encode()), compression=zipfile.ZIP_BZIP2),
    "names that lead out": lambda _: archive(("../../metadata.json", b"{}"), ("/etc/labels.txt", b"a")),
    "a long name": lambda _: archive(("metadata.json" * 5000, b"{}")),
    "NaN": lambda plain: of_json(json.dumps(plain | {"parameters": float("nan")}).encode()),
    "infinite": lambda plain: of_json(json.dumps(plain).encode().replace(b'"parameters": ', b'"parameters": 1e99999')),
    "nested": lambda _: of_json(b"[" * 1_000_000),
    "nested objects": lambda _: of_json(b'{"a":' * 200_000),
    "a number of a million digits": lambda _: of_json(b'{"format_version": ' + b"9" * 1_000_000 + b"}"),
    "labels by the million": lambda _: of_json(b'{"labels": [' + b'"a",' * 250_000 + b'"b"]}'),
    "huge shape": input_of(height=1 << 30, width=1 << 30),
    "negative shape": input_of(height=-1),
    "shape that is text": input_of(height="48"),
    "shape that is a list": input_of(height=[48]),
    "wrong type": changed(labels=7),
    "labels of control characters": changed(labels=["\x1b[2J", "b"]),
    "null": lambda _: of_json(b"null"),
}


@pytest.mark.parametrize("case", CRAFTED)
def test_archives_made_to_do_harm_are_refused(case: str, readers: Any, described: dict[str, Any]) -> None:
    verdict = readers.judge("description", CRAFTED[case](described))
    assert verdict["told"].startswith("told: ")


def test_what_is_carried_twice_is_refused(readers: Any, described: dict[str, Any]) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = archive(*[("metadata.json", json.dumps(described).encode())] * 2)
    assert "carries metadata.json more than once" in readers.judge("description", content)["told"]


def test_nothing_is_unpacked(tmp_path: Path, readers: Any) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "m.tflite").write_bytes(archive(("../../out", b"x"), (str(tmp_path / "absolute"), b"x")))
    readers.judge_file("description", folder / "m.tflite")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "m.tflite"]


@pytest.mark.parametrize("place", ["/dev/zero", "pipe", "sparse"])
def test_what_never_ends_is_not_read_to_the_end(place: str, tmp_path: Path, readers: Any) -> None:
    path = tmp_path / "m.tflite"
    if place == "pipe":
        os.mkfifo(path)
    elif place == "sparse":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    verdict = readers.judge_file("model", Path(place) if place.startswith("/") else path)
    assert ("is empty" if place == "pipe" else "is larger than") in verdict["told"]


def test_damage_in_the_archive(readers: Any, search: Any, flatbuffer: bytes, model_path: Path) -> None:
    small = attach(FLATBUFFER, read_model(model_path)[1])
    deflated = io.BytesIO(FLATBUFFER)
    with zipfile.ZipFile(io.BytesIO(small)) as stored, zipfile.ZipFile(deflated, "a", zipfile.ZIP_DEFLATED) as written:
        for name in stored.namelist():
            written.writestr(name, stored.read(name))
    wholes = (small, deflated.getvalue())
    # The list of members is at the end.
    cases = damaged(wholes, places=(range(-300, 0), range(len(FLATBUFFER), len(FLATBUFFER) + 60)))
    search(cases, lambda case: readers.judge("description", case), 120)


def test_damage_in_the_flatbuffer(readers: Any, search: Any, flatbuffer: bytes, model_path: Path) -> None:
    _, metadata = read_model(model_path)
    assert readers.judge("model", attach(flatbuffer, metadata))["told"] == "ok"
    # Weights are in the middle; the checksum is made anew, as one would who means harm.
    cases = damaged((flatbuffer,), places=(range(3000), range(-60_000, 0), range(-4000, 0)))
    search(cases, lambda case: readers.judge("model", attach(case, metadata)), 60)
