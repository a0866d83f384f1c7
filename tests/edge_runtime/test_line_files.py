"""Files of lines: whole after kills, full disks and folders that vanish."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from fer_edge.errors import FerError
from fer_edge.sinks._lines import LineFile
from fer_edge.sinks._losses import LostError

KILLS = Path(__file__).with_name("kill_while_writing.py")


class Clock:
    """Seconds that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def opened(tmp_path: Path, clock: Clock) -> Callable[..., LineFile]:
    def make(**changes: object) -> LineFile:
        chosen = {"max_bytes": 0, "keep": 3, "sync_s": 1e9, **changes}
        return LineFile(tmp_path / "logs" / "lines", clock=clock, **chosen)  # type: ignore[arg-type]

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "lines"


Opened = Callable[..., LineFile]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_reader_has_a_line_at_once(opened: Opened, path: Path) -> None:
    with opened() as lines:
        lines.write(b"one\n")
        assert path.read_bytes() == b"one\n"
        lines.write(b"two\nthree\n")
        assert path.read_bytes() == b"one\ntwo\nthree\n"
    with opened() as lines:
        lines.write(b"four\n")
    assert path.read_bytes() == b"one\ntwo\nthree\nfour\n"


@pytest.mark.parametrize("tail", [b'{"fra', b"\0\0\0"])
def test_a_torn_line_is_ended(opened: Opened, path: Path, tail: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(b"one\n" + tail)
    with opened() as lines:
        lines.write(b"two\n")
    assert path.read_bytes() == b"one\n" + tail + b"\ntwo\n"


def test_rotation(opened: Opened, path: Path) -> None:
    with opened(max_bytes=10, keep=2) as lines:
        for number in range(9):
            lines.write(b"%03d\n" % number)
        lines.write(b"longer than a file\n")
        lines.write(b"end\n")
    # Two lines of four bytes go into ten; one that is longer than a file is one alone.
    assert path.read_bytes() == b"end\n"
    assert Path(f"{path}.1").read_bytes() == b"longer than a file\n"
    assert Path(f"{path}.2").read_bytes() == b"008\n"
    assert names(path.parent) == ["lines", "lines.1", "lines.2"]


def test_rotation_that_keeps_nothing(opened: Opened, path: Path) -> None:
    with opened(max_bytes=8, keep=0) as lines:
        for number in range(5):
            lines.write(b"%03d\n" % number)
    assert path.read_bytes() == b"004\n"
    assert names(path.parent) == ["lines"]


def test_each_file_begins_with_the_head(opened: Opened, path: Path) -> None:
    with opened(max_bytes=12, head=b"a,b\n") as lines:
        for number in range(4):
            lines.write(b"%d,%d\n" % (number, number))
    assert Path(f"{path}.1").read_bytes() == b"a,b\n0,0\n1,1\n"
    assert path.read_bytes() == b"a,b\n2,2\n3,3\n"
    # Going on needs no second head; another head needs another file.
    with opened(head=b"a,b\n") as lines:
        lines.write(b"4,4\n")
    with opened(head=b"a,c\n") as lines:
        lines.write(b"5,5\n")
    assert Path(f"{path}.1").read_bytes() == b"a,b\n2,2\n3,3\n4,4\n"
    assert path.read_bytes() == b"a,c\n5,5\n"


def test_a_file_that_is_moved_away_is_made_anew(opened: Opened, path: Path) -> None:
    with opened() as lines:
        lines.write(b"one\n")
        path.rename(f"{path}.moved")
        lines.write(b"two\n")
    assert Path(f"{path}.moved").read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\n"


def test_a_folder_that_vanishes_and_cannot_come_back(opened: Opened, path: Path, clock: Clock) -> None:
    with opened() as lines:
        lines.write(b"one\n")
        shutil.rmtree(path.parent)
        lines.write(b"two\n")
        assert path.read_bytes() == b"two\n"
        shutil.rmtree(path.parent)
        path.parent.write_text("in the way")
        for _ in range(3):
            with pytest.raises(LostError) as caught:
                lines.write(b"three\n")
        assert str(caught.value) == f"cannot write {path}: File exists"
        path.parent.unlink()
        # It is not tried again at once.
        with pytest.raises(LostError):
            lines.write(b"four\n")
        clock.now += 1.0
        lines.write(b"five\n")
    assert path.read_bytes() == b"five\n"


def test_attempts_become_rare(opened: Opened, path: Path, clock: Clock) -> None:
    attempts = []
    with opened() as lines:
        shutil.rmtree(path.parent)
        path.parent.write_text("in the way")
        for _ in range(500):
            with pytest.raises(LostError) as caught:
                lines.write(b"lost\n")
            if caught.value.__cause__ is not None:
                attempts.append(clock.now)
            clock.now += 0.1
    between = [round(later - sooner) for sooner, later in pairwise(attempts)]
    assert between[:6] == [1, 2, 4, 8, 10, 10]


def test_dev_full(clock: Clock) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with LineFile(full, max_bytes=100, keep=3, sync_s=0, clock=clock) as lines:
        for _ in range(5):
            with pytest.raises(LostError, match="cannot write /dev/full: No space left on device"):
                lines.write(b"lost\n")
            clock.now += 100
    assert full.is_char_device()


def test_a_file_that_may_not_grow_holds_whole_lines(opened: Opened, path: Path, clock: Clock) -> None:
    # RLIMIT_FSIZE is a disk that fills in the middle of a line.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    line = b"0123456789abcde\n"
    with opened() as lines:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
            for _ in range(6):
                lines.write(line)
            for _ in range(2):
                with pytest.raises(LostError, match="File too large"):
                    lines.write(line)
                clock.now += 100
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert path.read_bytes() == 6 * line
        clock.now += 100
        lines.write(line)
    assert path.read_bytes() == 7 * line


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that is a disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs to mount a tmpfs: {error}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_and_is_freed(small_disk: Path, clock: Clock) -> None:
    line = b"x" * 999 + b"\n"
    with LineFile(small_disk / "lines", max_bytes=0, keep=1, sync_s=0, clock=clock) as lines:
        (small_disk / "ballast").write_bytes(bytes(32 << 10))
        written = 0
        with pytest.raises(LostError, match="No space left on device"):  # noqa: PT012
            for _ in range(100):
                lines.write(line)
                written += 1
        assert 20 < written < 40
        assert (small_disk / "lines").read_bytes() == written * line
        (small_disk / "ballast").unlink()
        clock.now += 1.0
        lines.write(line)
    assert (small_disk / "lines").read_bytes() == (written + 1) * line


def test_a_file_that_cannot_be_opened_at_the_start(opened: Opened, path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(FerError, match=r"^cannot write .*/logs/lines: Is a directory$"), opened():
        pass


@pytest.mark.parametrize("max_bytes", [0, 500_000])
def test_a_hundred_kills_tear_no_line_but_the_last(tmp_path: Path, max_bytes: int) -> None:
    done = subprocess.run(
        [sys.executable, str(KILLS), str(tmp_path), str(max_bytes), "100"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["lines"] >= 100
    assert (told["files"] > 1) == bool(max_bytes)
