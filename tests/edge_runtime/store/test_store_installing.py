"""`fer_edge.store.installing`: a model comes into the store as a whole or not at all."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from fer_edge.errors import FerError, ModelError
from fer_edge.metadata import read_model
from fer_edge.store import Store, durable, installing
from fer_edge.store.installing import install
from fer_edge.store.listing import Listing, is_file_name

KILLS = Path(__file__).with_name("kill_while_installing.py")
Listed = Callable[[Path], Listing]
Make = Callable[..., Path]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try each file once and remember what came out: what is tested here comes after it."""
    known: dict[bytes, Any] = {}
    real = installing.try_model

    def remembering(path: Path, **options: Any) -> Any:
        content = path.read_bytes()
        if content not in known:
            known[content] = real(path, **options)
        return known[content]

    monkeypatch.setattr(installing, "try_model", remembering)


def names(folder: Path) -> set[str]:
    return {path.name.partition(".")[0] for path in folder.iterdir() if is_file_name(path.name)}


def others(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not is_file_name(path.name))


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_model_is_copied_and_becomes_the_current_one(first: Path, tmp_path: Path, listed: Listed) -> None:
    folder = tmp_path / "a" / "models"
    done = install(first, folder, threads=1)
    assert done.changed
    assert listed(folder).now == done.entry
    copy = folder / done.entry.file
    assert copy.read_bytes() == first.read_bytes()
    assert copy.name == f"first.{done.entry.sha256[:16]}.tflite"
    assert others(folder) == ["models.json"]
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o644"}
    assert oct(folder.stat().st_mode & 0o777) == "0o755"


def test_the_same_file_again_is_no_change(one: Path, first: Path, quick: None) -> None:
    before = snapshot(one)
    assert not install(first, one).changed
    assert snapshot(one) == before


def test_what_was_damaged_in_the_store_is_repaired(one: Path, first: Path, quick: None) -> None:
    (path,) = one.glob("first.*")
    os.truncate(path, 1000)
    assert install(first, one).changed
    trial = Store(one).begin()
    assert trial is not None
    assert trial.path.read_bytes() == first.read_bytes()


def test_the_last_good_model_and_the_one_before_are_kept(
    two: Path, make_model: Make, quick: None, listed: Listed
) -> None:
    third, fourth = make_model("third"), make_model("fourth")
    (two / "mine.tflite").write_text("not of the store")
    install(third, two)
    # The second one runs on in the service, and may still prove itself.
    assert names(two) == {"first", "second", "third"}
    install(fourth, two)
    assert names(two) == {"first", "third", "fourth"}
    trial = Store(two).begin()
    assert trial is not None
    trial.proved()
    install(third, two)
    assert names(two) == {"third", "fourth"}
    last_good = listed(two).last_good
    assert last_good is not None
    assert last_good.name == "fourth"
    assert (two / "mine.tflite").exists()


def test_going_back_to_the_last_good_model_by_installing_it(
    two: Path, first: Path, quick: None, listed: Listed
) -> None:
    install(first, two)
    now = listed(two).now
    assert now is not None
    assert (now.name, now.proved) == ("first", 1)


def test_a_bad_model_has_to_prove_itself_again(two: Path, second: Path, quick: None, listed: Listed) -> None:
    trial = Store(two).begin()
    assert trial is not None
    trial.proved()
    Store(two).rollback()
    install(second, two)
    now = listed(two).now
    assert now is not None
    assert (now.name, now.proved, now.bad) == ("second", None, None)


def test_what_root_writes_belongs_to_the_folders_owner(
    one: Path, second: Path, quick: None, tmp_path: Path, first: Path
) -> None:
    if os.geteuid():
        pytest.skip("needs root")
    os.chown(one, 1234, 2345)
    install(second, one)
    trial = Store(one).begin()
    assert trial is not None
    written = [trial.path, one / "models.json", one / "starts.json"]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in written} == {(1234, 2345)}
    os.chown(tmp_path, 1234, 2345)
    install(first, tmp_path / "new" / "models")
    made = [tmp_path / "new", tmp_path / "new" / "models"]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(1234, 2345)}


def test_a_model_that_is_too_slow(one: Path, second: Path) -> None:
    before = snapshot(one)
    with pytest.raises(ModelError, match=r"is too slow: a face takes [\d.]+ ms .*, threads 1; the budget is 1e-06 ms$"):
        install(second, one, budget_ms=1e-6, threads=1)
    assert snapshot(one) == before
    assert install(second, one, budget_ms=1e6).changed


def test_a_model_that_fails_its_self_test(one: Path, make_model: Make, model_path: Path) -> None:
    import msgspec

    wrong = read_model(model_path)[1].input
    broken = make_model("broken", input=msgspec.structs.replace(wrong, scale=wrong.scale / 2))
    before = snapshot(one)
    with pytest.raises(ModelError, match=r"broken\.tflite fails its self-test on this device: the portable kernels"):
        install(broken, one)
    assert snapshot(one) == before


def test_a_file_that_changes_meanwhile(
    one: Path, second: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "changing.tflite"
    file.write_bytes(second.read_bytes())
    real = installing.try_model

    def changing(path: Path, **options: Any) -> Any:
        report = real(path, **options)
        file.write_bytes(file.read_bytes()[:-1])
        return report

    monkeypatch.setattr(installing, "try_model", changing)
    before = snapshot(one)
    with pytest.raises(FerError, match=r"changing\.tflite has changed while it was tried: install it again$"):
        install(file, one)
    assert snapshot(one) == before


def test_a_full_disk_leaves_what_was_there(
    disk: Path, first: Path, second: Path, make_model: Make, quick: None, listed: Listed
) -> None:
    folder = disk / "models"
    install(first, folder)
    install(second, folder)
    before = snapshot(folder)
    with pytest.raises(FerError, match=r"cannot copy .*third\.tflite to the model store .*: No space left on device$"):
        install(make_model("third"), folder)
    assert snapshot(folder) == before
    now = listed(folder).now
    assert now is not None
    assert now.name == "second"


def test_a_disk_that_is_full_when_the_list_is_written(
    disk: Path, first: Path, second: Path, quick: None, listed: Listed
) -> None:
    folder = disk / "models"
    install(first, folder)
    room = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    model = -(-second.stat().st_size // 4096) * 4096
    (disk / "ballast").write_bytes(bytes(room - model))
    with pytest.raises(FerError, match=r"^cannot change the model store .*: No space left on device$"):
        install(second, folder)
    now = listed(folder).now
    assert now is not None
    assert now.name == "first"
    (disk / "ballast").unlink()
    install(second, folder)
    assert names(folder) == {"first", "second"}


def test_a_store_that_cannot_be_written(first: Path, tmp_path: Path, quick: None, disk: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FerError, match=r"^cannot write .*: .*file is not a folder$"):
        install(first, tmp_path / "file" / "models")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(FerError, match=r"^cannot (write|make the model store) .*$"):
        install(first, disk / "models")


def test_the_order_in_which_things_reach_the_disk(
    two: Path, make_model: Make, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(make_model("third"), two)
    fourth = make_model("fourth")
    installing.try_model(fourth)
    steps: list[str] = []

    def spying(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def spy(*arguments: Any, **options: Any) -> Any:
            path = arguments[0] if isinstance(arguments[0], Path) else Path(f"/proc/self/fd/{arguments[0]}").readlink()
            steps.append(f"{name} {kind(Path(path).name)}")
            return real(*arguments, **options)

        return spy

    def kind(path: str) -> str:
        if path.endswith(".model.part"):
            return "copy"
        return "folder" if path == two.name else "list" if path == ".models.json.part" else path.partition(".")[0]

    monkeypatch.setattr(os, "fsync", spying("sync", os.fsync))
    monkeypatch.setattr(Path, "replace", spying("rename", Path.replace))
    monkeypatch.setattr(Path, "unlink", spying("remove", Path.unlink))
    install(fourth, two)
    steps = [step for step in steps if step not in ("remove list", "remove copy")]
    assert steps == [
        "sync copy",
        "rename copy",
        "sync folder",
        "sync list",
        "rename list",
        "sync folder",
        "remove second",
    ]


def start(model: Path, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fer_edge", "models", "install", str(model), "--store", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(processes: Iterable[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    ended = []
    for process in processes:
        _, errors = process.communicate(timeout=120)
        ended.append((process.returncode, errors))
    return ended


def test_installations_at_the_same_time(tmp_path: Path, first: Path, second: Path, listed: Listed) -> None:
    folder = tmp_path / "models"
    assert finish([start(model, folder) for model in (first, second, first, second)]) == [(0, "")] * 4
    assert names(folder) == {"first", "second"}
    assert others(folder) == ["models.json"]
    trial = Store(folder).begin()
    assert trial is not None
    assert trial.notice is None
    now = listed(folder).now
    assert now is not None
    assert trial.path.name == now.file


def test_roll_backs_beside_installations(two: Path, first: Path, second: Path, listed: Listed) -> None:
    code = (
        "import sys, time; from pathlib import Path; from fer_edge.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "while True:\n"
        "    trial = store.begin()\n"
        "    assert trial is not None and trial.path.parent == store.folder, trial and trial.notice\n"
        "    trial.path.read_bytes()\n"
        "    print(trial.path.name.partition('.')[0], flush=True)\n"
        "    trial.proved()\n"
        "    trial.failed('on purpose')\n"
    )
    service = subprocess.Popen([sys.executable, "-c", code, str(two)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for model in (first, second, first, second):
        assert finish([start(model, two)]) == [(0, "")]
    time.sleep(0.2)
    alive = service.poll() is None
    service.kill()
    said, errors = service.communicate()
    assert alive, errors.decode()
    assert {"first", "second"} <= set(said.decode().split())
    assert listed(two).now is not None


def test_sigterm_leaves_nothing_behind(two: Path, make_model: Make) -> None:
    third = make_model("third")
    chance = random.Random(2)
    for _ in range(4):
        process = start(third, two)
        time.sleep(chance.uniform(0.5, 2))
        process.send_signal(signal.SIGTERM)
        ((code, errors),) = finish([process])
        assert code in (0, 143, -signal.SIGTERM)
        assert errors in ("", "error: terminated\n")
        assert others(two) == ["models.json", "starts.json"]


@pytest.mark.parametrize("changed", [True, False])
def test_what_a_kill_has_left_goes_with_the_next_installation(
    one: Path, first: Path, second: Path, quick: None, changed: bool
) -> None:
    left = [one / name for name in (".models.json.part", ".starts.json.part", ".0123456789abcdef.model.part")]
    for path in left:
        path.write_bytes(b"half")
    assert install(second if changed else first, one).changed is changed
    assert not any(path.exists() for path in left)


@pytest.mark.parametrize(("whole", "writing"), [(8, 40), pytest.param(40, 200, marks=pytest.mark.slow)])
def test_kills_at_any_moment_leave_a_store_that_works(
    tmp_path: Path, first: Path, second: Path, whole: int, writing: int
) -> None:
    folder = tmp_path / "models"
    command = [sys.executable, str(KILLS), str(folder), str(whole), str(writing), str(first), str(second)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout)
    assert seen["killed"] > (whole + writing) / 12, seen
    # It was killed before and after the change.
    assert {"writing: first.tflite", "writing: second.tflite"} <= seen.keys(), seen
    install(first, folder)
    assert names(folder) <= {"first", "second"}
    assert [name for name in others(folder) if name.endswith(".part")] == []


def test_a_lock_ends_with_its_process(two: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from fer_edge.store import durable\n"
        "with durable.locked(Path(sys.argv[1]), 1):\n"
        "    print(flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(two)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(TimeoutError), durable.locked(two, 0.1):
            pass
        process.kill()
    with durable.locked(two, 0.1):
        pass
