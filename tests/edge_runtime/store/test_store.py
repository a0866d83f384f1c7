"""`fer_edge.store.Store` and `Trial`: which model a start takes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_edge.classifier import Classifier
from fer_edge.errors import FerError
from fer_edge.models import shipped_model
from fer_edge.store import DEFAULT_STORE, Store, Trial, durable
from fer_edge.store.installing import install
from fer_edge.store.listing import Listing, file_name, is_file_name

Listed = Callable[[Path], Listing]


def begin(folder: Path) -> Trial:
    trial = Store(folder).begin()
    assert trial is not None
    return trial


def name(trial: Trial | None) -> str:
    """Give the name of the model that a start takes, after trying that it is whole."""
    assert trial is not None
    return Classifier.load(trial.path, threads=1).metadata.name


def unproved(folder: Path) -> int:
    return int(json.loads((folder / "starts.json").read_text())["unproved"])


def crash(folder: Path, times: int) -> None:
    for _ in range(times):
        assert begin(folder).notice is None


def test_the_place() -> None:
    assert Path("/var/lib/fer-edge/models") == DEFAULT_STORE


def test_no_store_and_an_empty_one_have_no_model(tmp_path: Path) -> None:
    assert Store(tmp_path / "nowhere").begin() is None
    assert Store(tmp_path).begin() is None
    assert list(tmp_path.iterdir()) == []


def test_a_start_counts_until_it_ends_well(one: Path) -> None:
    trial = begin(one)
    assert (name(trial), trial.notice, trial.path.parent) == ("first", None, one)
    assert unproved(one) == 1
    second = begin(one)
    assert unproved(one) == 2
    assert second.ended() is None
    assert second.ended() is None
    assert unproved(one) == 1


def test_orderly_ends_are_no_crashes(two: Path) -> None:
    crash(two, 2)
    for _ in range(5):
        trial = begin(two)
        assert (name(trial), trial.notice) == ("second", None)
        trial.ended()


def test_the_fourth_start_takes_the_last_good_model(two: Path, second: Path, listed: Listed) -> None:
    crash(two, 3)
    trial = begin(two)
    assert name(trial) == "first"
    assert trial.notice == (
        "the model second is in use no more (3 starts in a row ended within its first minutes); "
        "the last good one is: first"
    )
    assert [entry.bad for entry in listed(two).models] == [None, "3 starts in a row ended within its first minutes"]
    # It is not chosen again, however often the other one is started.
    for _ in range(5):
        trial = begin(two)
        assert (name(trial), trial.notice) == ("first", None)
    # Installed again, it has three starts once more.
    assert install(second, two).changed
    assert [entry.bad for entry in listed(two).models] == [None, None]
    crash(two, 3)
    assert name(begin(two)) == "first"


def test_without_a_last_good_model_it_is_the_shipped_one(one: Path) -> None:
    crash(one, 3)
    trial = begin(one)
    assert trial.path == shipped_model()
    assert trial.notice == (
        "the model first is in use no more (3 starts in a row ended within its first minutes); "
        "there is no last good one, so the shipped one is used"
    )
    assert (trial.failed("nothing"), trial.proved(), trial.ended()) == (None, None, None)
    assert Store(one).begin() is None


def test_a_proved_model_keeps_its_place(two: Path, listed: Listed) -> None:
    crash(two, 2)
    trial = begin(two)
    assert trial.proved() is None
    before = listed(two), (two / "models.json").stat().st_mtime_ns, unproved(two)
    assert trial.proved() is None
    assert trial.ended() is None
    crash(two, 5)
    assert (listed(two), (two / "models.json").stat().st_mtime_ns, unproved(two)) == before


def test_killed_starts_count(two: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from fer_edge.store import Store\n"
        "print(Store(Path(sys.argv[1])).begin().path.name, flush=True); os.kill(os.getpid(), 9)\n"
    )
    taken = [
        subprocess.run([sys.executable, "-c", code, str(two)], capture_output=True, text=True, timeout=60, check=False)
        for _ in range(4)
    ]
    assert [done.returncode for done in taken] == [-9] * 4
    assert [done.stdout.partition(".")[0] for done in taken] == ["second", "second", "second", "first"]


def test_a_model_that_cannot_be_used_is_rolled_back_at_once(two: Path, listed: Listed) -> None:
    trial = begin(two).failed("it does\nnot load")
    assert trial is not None
    assert name(trial) == "first"
    assert trial.notice == "the model second is in use no more (it does not load); the last good one is: first"
    assert listed(two).models[1].bad == "it does not load"
    # The first one has no other behind it.
    assert trial.failed("nor does this") is None
    assert name(begin(two)) == "first"


def test_without_a_last_good_model_a_failure_counts_and_is_remembered(one: Path) -> None:
    for _ in range(3):
        assert begin(one).failed("it does not load") is None
    trial = begin(one)
    assert trial.path == shipped_model()
    assert "first minutes (the last: it does not load)); there is no last good one" in str(trial.notice)


def test_what_was_installed_meanwhile_is_taken(one: Path, second: Path, listed: Listed) -> None:
    trial = begin(one)
    install(second, one)
    given = trial.failed("it does not load")
    assert name(given) == "second"
    assert [entry.bad for entry in listed(one).models] == [None, None]
    # The first one may still prove itself, and is then what the second one can be rolled back to.
    assert trial.proved() is None
    assert given is not None
    assert name(given.failed("nor does this")) == "first"
    assert trial.ended() is None


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[100_000] ^= 1
    path.write_bytes(content)


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("harm", [truncate, change, lengthen, link, pipe, Path.unlink])
def test_a_file_that_is_not_what_was_installed(two: Path, harm: Callable[[Path], None], listed: Listed) -> None:
    path = begin(two).path
    harm(path)
    trial = begin(two)
    assert name(trial) == "first"
    assert f"the model second is in use no more (its file {path.name} " in str(trial.notice)
    assert listed(two).now == listed(two).models[0]
    harm(trial.path) if harm is not link else truncate(trial.path)
    trial = begin(two)
    assert trial.path == shipped_model()
    assert "there is no last good one, so the shipped one is used" in str(trial.notice)


GARBAGE = [b"", b"{", b"\0" * 200, b"\xff\xfe", b"[]", b"null", b"x" * (2 << 20), b'{"key": 1, "unproved": -4}']


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_damaged_starts_are_counted_from_zero(two: Path, content: bytes) -> None:
    crash(two, 3)
    (two / "starts.json").write_bytes(content)
    trial = begin(two)
    assert name(trial) == "second"
    assert "starts.json" in str(trial.notice)
    assert str(trial.notice).endswith(": starts are counted from zero")
    crash(two, 2)
    assert name(begin(two)) == "first"


def outside(folder: Path) -> bytes:
    return (folder / "models.json").read_bytes().replace(b'"file": "', b'"file": "../')


def without_current(folder: Path) -> bytes:
    return (folder / "models.json").read_bytes().replace(b'"current": "', b'"current": "0')


@pytest.mark.parametrize("content", [*GARBAGE[:-1], outside, without_current], ids=range(len(GARBAGE) + 1))
def test_a_damaged_list_is_told_and_the_shipped_model_used(
    two: Path, second: Path, content: bytes | Callable[[Path], bytes]
) -> None:
    (two / "models.json").write_bytes(content if isinstance(content, bytes) else content(two))
    for _ in range(2):
        trial = begin(two)
        assert trial.path == shipped_model()
        assert "models.json" in str(trial.notice)
        assert str(trial.notice).endswith(": install a model again")
    install(second, two)
    trial = begin(two)
    assert (name(trial), trial.notice) == ("second", None)


def test_a_read_only_disk_stops_nothing(disk: Path, two: Path) -> None:
    folder = Path(shutil.copytree(two, disk / "models"))
    crash(folder, 2)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for _ in range(5):
        trial = begin(folder)
        assert name(trial) == "second"
        told = f"the model store {folder} cannot be written (Read-only file system): starts are not counted"
        assert trial.notice == told
        assert trial.ended() == told
    # What cannot be written down is done nevertheless.
    given = trial.failed("it does not load")
    assert name(given) == "first"
    assert given is not None
    assert str(given.notice).endswith(f"the last good one is: first; {told}")


def fill(path: Path) -> None:
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def test_a_full_disk_stops_nothing(disk: Path, two: Path, listed: Listed) -> None:
    folder = Path(shutil.copytree(two, disk / "models"))
    crash(folder, 1)
    fill(disk / "ballast")
    trial = begin(folder)
    assert name(trial) == "second"
    assert trial.notice == (
        f"the model store {folder} cannot be written (No space left on device): starts are not counted"
    )
    assert "No space left on device" in str(trial.proved())
    assert unproved(folder) == 1
    assert listed(folder).models[1].proved is None
    assert [path.name for path in folder.iterdir() if path.name.endswith(".part")] == []
    (disk / "ballast").unlink()
    assert trial.proved() is None
    assert listed(folder).models[1].proved


@pytest.mark.parametrize(("mode", "taken"), [(0o755, "second"), (0o700, "shipped")])
def test_a_user_without_rights_gets_a_model(two: Path, mode: int, taken: str) -> None:
    if os.geteuid():
        pytest.skip("needs root, which can become another user")
    for folder in two.parents:
        if not folder.stat().st_mode & 1:
            folder.chmod(0o755)
    two.chmod(mode)
    code = (
        "import os, sys; from pathlib import Path; from fer_edge.store import Store\n"
        "os.setresuid(65534, 65534, 65534)\n"
        "trial = Store(Path(sys.argv[1])).begin()\n"
        "print(trial.path, trial.notice, sep='\\n')\n"
    )
    command = [sys.executable, "-c", code, str(two)]
    path, notice = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.splitlines()
    assert Path(path) == shipped_model() if taken == "shipped" else Path(path).name.startswith("second.")
    assert "Permission denied): starts are not counted" in notice


def test_who_holds_the_store_for_ever_stops_nothing(two: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "PATIENCE_S", 0.1)
    before = (two / "starts.json").read_bytes()
    holder = os.open(two, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    trial = begin(two)
    with pytest.raises(FerError, match=r"^cannot change the model store .*: another process has held it for 0.1 s$"):
        Store(two).rollback()
    os.close(holder)
    assert name(trial) == "second"
    assert trial.notice == (
        f"the model store {two} cannot be held (another process has held it for 0.1 s): starts are not counted"
    )
    assert (two / "starts.json").read_bytes() == before


def test_rolling_back_by_hand(two: Path, listed: Listed) -> None:
    begin(two).proved()
    told = Store(two).rollback()
    assert told == "the model second is in use no more (rolled back by hand); the last good one is: first"
    trial = begin(two)
    assert (name(trial), trial.notice) == ("first", None)
    assert [entry.bad for entry in listed(two).models] == [None, "rolled back by hand"]
    assert (
        Store(two).rollback().endswith("(rolled back by hand); there is no last good one, so the shipped one is used")
    )
    assert Store(two).begin() is None
    with pytest.raises(FerError, match=r"^no model of .* is in use: there is nothing to roll back$"):
        Store(two).rollback()


def test_a_damaged_model_is_not_rolled_back_to(two: Path, listed: Listed) -> None:
    truncate(two / listed(two).models[0].file)
    assert Store(two).rollback().endswith("; there is no last good one, so the shipped one is used")
    assert Store(two).begin() is None
    with pytest.raises(FerError, match=r"^cannot change the model store /nowhere: No such file or directory$"):
        Store(Path("/nowhere")).rollback()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("mobilenetv2-int8", "mobilenetv2-int8"),
        ("../../etc/passwd", "etc-passwd"),
        ("a b\n\0c.d", "a-b-c-d"),
        ("表情", "model"),
        (".hidden", "hidden"),
        ("x" * 255, "x" * 60),
    ],
)
def test_names_of_files(given: str, expected: str) -> None:
    file = file_name(given, "0123456789abcdef" * 4)
    assert file == f"{expected}.0123456789abcdef.tflite"
    assert is_file_name(file)


def test_other_names_are_none_of_ours() -> None:
    others = ["mine.tflite", "a/b.0123456789abcdef.tflite", ".x.0123456789abcdef.tflite", "models.json", ""]
    assert not any(map(is_file_name, others))
