from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.errors import FerError
from fer_edge.files import check_writable, read_bytes, replacing, write_bytes


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "c.bin"
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["c.bin"]


def test_a_file_is_replaced_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "c.bin"
    path.write_bytes(b"old")
    with replacing(path) as temporary:
        assert (temporary.parent, temporary.suffix) == (path.parent, path.suffix)
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_who_reads_meanwhile_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "c.bin"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        write_bytes(path, b"new")
        assert reader.read() == b"old"


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "c.bin"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_bytes(b"ne"[: 1 // 0])
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        _write_and_stop(temporary)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def _write_and_stop(path: Path) -> None:
    path.write_bytes(b"ne")
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file/c.bin", None),
        ("file/deeper/c.bin", "Not a directory"),
        ("folder", "Is a directory"),
        ("x" * 300, "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written(tmp_path: Path, name: str, reason: str | None) -> None:
    (tmp_path / "file").write_text("not a folder")
    (tmp_path / "folder").mkdir()
    path = tmp_path / name
    with pytest.raises(FerError) as caught:
        write_bytes(path, b"new")
    assert str(caught.value).startswith(f"cannot write {path}: ")
    assert str(caught.value).endswith(reason or "")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "not a folder"


def test_reading(tmp_path: Path) -> None:
    path = tmp_path / "c.bin"
    path.write_bytes(b"content")
    assert read_bytes(path, "thing") == b"content"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "cannot read thing {path}: No such file or directory"),
        ("folder", "cannot read thing {path}: Is a directory"),
        ("empty", "thing {path} is empty"),
        ("empty/below", "cannot read thing {path}: Not a directory"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    with pytest.raises(FerError) as caught:
        read_bytes(tmp_path / name, "thing")
    assert str(caught.value) == message.format(path=tmp_path / name)


def test_where_nothing_can_be_written_is_told_before(tmp_path: Path) -> None:
    check_writable(tmp_path / "new.json")
    check_writable(tmp_path / "not" / "there" / "new.json")
    (tmp_path / "file").touch()
    check_writable(tmp_path / "file")
    with pytest.raises(FerError, match=r"file/new\.json: .*/file is not a folder$"):
        check_writable(tmp_path / "file" / "new.json")
    with pytest.raises(FerError, match=r": it is a folder$"):
        check_writable(tmp_path)
