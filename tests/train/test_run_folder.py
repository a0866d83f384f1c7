from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from fer_edge.errors import DataError, FerError, UsageError
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import Accuracy, InputSpec
from fer_train import checkpoint, run_folder, samples
from fer_train.datasets import Split
from fer_train.run_folder import DataInfo, RunFolder, RunInfo
from fer_train.settings import FitSettings

SPEC = InputSpec(height=96, width=96, channels=3, color="rgb", scale=1 / 127.5, offset=-1.0, face_size=48)
INFO = RunInfo(
    settings=FitSettings(
        data="fer2013.csv",
        arch="mobilenetv2",
        input_size=96,
        channels=3,
        alpha=0.35,
        weights="none",
        head=(128, 64),
        dropout=0.0,
        augment="light",
        epochs=2,
        batch_size=64,
        learning_rate=1e-3,
        schedule="cosine",
        label_smoothing=0.0,
        seed=1,
    ),
    data=DataInfo(name="FER2013", sha256="0" * 64, counts={"train": {"happy": 2}}, skipped=("a.png is empty",)),
    labels=EXPRESSIONS,
    input=SPEC,
    parameters=123,
    epochs=({"loss": 2.0, "val_accuracy": 0.25}, {"loss": 1.5, "val_accuracy": 0.5}),
    best_epoch=2,
    accuracy=Accuracy(split="public", correct=2, total=4, low=0.15, high=0.85),
    recalls={"happy": 0.5, "sad": None},
    started="2026-11-21T20:15:02+00:00",
    seconds=1.5,
    versions={"numpy": "2"},
    machine="x86_64 Linux, 2 processors",
)


def write_run(path: Path, info: RunInfo = INFO) -> Path:
    with run_folder.creating(path) as folder:
        run_folder.write_info(folder, info)
    return path


def faces(*labels: int, side: int = 48) -> Split:
    random = np.random.default_rng(0)
    return Split(tuple(random.integers(0, 256, (side, side), np.uint8) for _ in labels), np.asarray(labels, np.int64))


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    run = RunFolder(write_run(tmp_path / "deep" / "down" / "run.v2"))
    assert run.info == INFO
    assert run.name == "run.v2"
    assert (run.path / "history.csv").read_text() == "epoch,loss,val_accuracy\n1,2.0,0.25\n2,1.5,0.5\n"
    assert sorted(path.name for path in run.path.iterdir()) == ["history.csv", "run.json"]
    assert sorted(path.name for path in run.path.parent.iterdir()) == ["run.v2"]


# What this version writes and older ones did not.
NEW_SETTINGS = (
    *("ferplus", "balance", "optimizer", "weight_decay", "decay", "decay_every", "warm_up", "monitor", "patience"),
    *("freeze_epochs", "fine_tune_from", "fine_tune_learning_rate", "mixed_precision", "distillation", "split_seed"),
    "calibrate",
)
NEW_FIELDS = ("loss", "train_accuracy", "multiply_accumulates", "confidence")


def test_runs_of_older_versions_can_be_read(tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    content = json.loads((path / "run.json").read_text())
    for name in NEW_SETTINGS:
        del content["settings"][name]
    for name in NEW_FIELDS:
        del content[name]
    # The oldest ones.
    for name in ("l2", "batch_norm", "labels", "drop_duplicates"):
        del content["settings"][name]
    (path / "run.json").write_text(json.dumps(content))
    assert RunFolder(path).info == INFO


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, FerError])
def test_a_failure_after_a_checkpoint_leaves_it(error: type[BaseException], resume: bool, tmp_path: Path) -> None:
    path = tmp_path / "run"
    with pytest.raises(error), run_folder.creating(path) as folder:  # noqa: PT012
        (folder / checkpoint.NAME).write_text("two epochs")
        raise error("no more")
    assert [left.name for left in tmp_path.iterdir()] == [".run.part"]
    if not resume:
        with pytest.raises(UsageError, match=r"an unfinished training stands in .*\.run\.part: go on with --resume"):
            write_run(path)
        assert (tmp_path / ".run.part" / checkpoint.NAME).read_text() == "two epochs"
        return
    with run_folder.creating(path, resume=True) as folder:
        assert (folder / checkpoint.NAME).read_text() == "two epochs"
        (folder / checkpoint.NAME).unlink()
        run_folder.write_info(folder, INFO)
    assert RunFolder(path).info == INFO
    assert [left.name for left in tmp_path.iterdir()] == ["run"]


def test_a_resumed_training_that_fails_keeps_its_checkpoint(tmp_path: Path) -> None:
    left = tmp_path / ".run.part"
    left.mkdir()
    (left / checkpoint.NAME).write_text("two epochs")
    with pytest.raises(FerError), run_folder.creating(tmp_path / "run", resume=True):
        raise FerError("no more")
    assert (left / checkpoint.NAME).read_text() == "two epochs"


def test_resuming_without_a_checkpoint_starts_in_an_empty_folder(tmp_path: Path) -> None:
    left = tmp_path / ".run.part"
    left.mkdir()
    (left / "old").write_text("half")
    with run_folder.creating(tmp_path / "run", resume=True) as folder:
        assert not list(folder.iterdir())
        run_folder.write_info(folder, INFO)
    assert RunFolder(tmp_path / "run").info == INFO


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, FerError])
@pytest.mark.parametrize("standing", [False, True])
def test_a_failure_leaves_nothing_and_touches_nothing(
    error: type[BaseException], standing: bool, tmp_path: Path
) -> None:
    path = tmp_path / "run"
    if standing:
        write_run(path)
    before = sorted(path.rglob("*"))
    with pytest.raises(error), run_folder.creating(path) as folder:  # noqa: PT012
        (folder / "model.keras").write_text("half")
        raise error("no more")
    assert sorted(path.rglob("*")) == before
    assert list(tmp_path.iterdir()) == ([path] if standing else [])


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(FerError, match="cannot write the run .*: No space left on device"),  # noqa: RUF043
        run_folder.creating(tmp_path / "run"),
    ):
        raise OSError(28, os.strerror(28))
    assert not list(tmp_path.iterdir())


def test_runs_that_stood_there_are_kept_and_numbered(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        write_run(tmp_path / "run", msgspec.structs.replace(INFO, best_epoch=epoch))
    found = {path.name: RunFolder(path).info.best_epoch for path in tmp_path.iterdir()}
    assert found == {"run-1": 1, "run-2": 2, "run": 3}


def test_what_a_killed_training_left_is_replaced(tmp_path: Path) -> None:
    left = tmp_path / ".run.part"
    left.mkdir()
    (left / "old").write_text("half")
    write_run(tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert not (tmp_path / "run" / "old").exists()


def test_an_empty_folder_may_stand_there(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert RunFolder(write_run(tmp_path / "run")).info == INFO


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_run_is_never_replaced(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "thesis"
    precious = path
    if kind == "folder":
        path.mkdir()
        precious = path / "thesis.tex"
    precious.write_text("years")
    with pytest.raises(UsageError, match="exists and is not a run folder: choose another --out"):
        write_run(path)
    assert precious.read_text() == "years"
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FerError, match="cannot write the run .*file/run: Not a directory"):  # noqa: RUF043
        write_run(tmp_path / "file" / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_empty_current_folder_can_be_named_by_a_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    # Writing there or refusing it in a line; not a defect's ValueError.
    try:
        write_run(Path())
    except FerError:
        assert not list(Path().iterdir())
    else:
        assert RunFolder(tmp_path / "here").info == INFO


def test_the_newest_run_is_the_last_to_finish(tmp_path: Path) -> None:
    for age, name in enumerate(("b", "c", "a")):
        write_run(tmp_path / name)
        os.utime(tmp_path / name / "run.json", (1000 - age, 1000 - age))
    (tmp_path / "no run").mkdir()
    (tmp_path / "a file").write_text("")
    assert run_folder.newest(tmp_path).name == "b"


@pytest.mark.parametrize("exists", [True, False])
def test_no_run_at_all_is_told(exists: bool, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run under .*: make one with 'fer-train fit'"):  # noqa: RUF043
        run_folder.newest(tmp_path if exists else tmp_path / "runs")


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a run folder"):
        RunFolder(tmp_path)
    with pytest.raises(UsageError, match="is not a run folder"):
        RunFolder(tmp_path / "absent")


def changed(**fields: object) -> bytes:
    return msgspec.json.encode({**msgspec.to_builtins(INFO), **fields})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"{", "is damaged: .*truncated; train again"),
        (b"\xff\xfe\x00", "is damaged: .*; train again"),
        (msgspec.json.encode(INFO)[:-30], "is damaged: .*; train again"),
        (b"{}", "is damaged: .*missing required field `settings`; train again"),
        (changed(parameters="many"), "is damaged: .*Expected `int`.*parameters.*; train again"),
        (changed(input={"height": 4}), "is damaged: .*; train again"),
        (changed(accuracy={"split": "public", "correct": 1, "total": 0, "low": 0, "high": 1}), "is damaged: .*total"),
    ],
    ids=["empty", "cut", "binary", "tail", "fields", "type", "input", "total"],
)
def test_a_damaged_run_is_told(content: bytes, reason: str, tmp_path: Path) -> None:
    path = write_run(tmp_path / "run")
    (path / "run.json").write_bytes(content)
    with pytest.raises(FerError, match=reason) as caught:
        RunFolder(path)
    assert "run.json" in str(caught.value)


def test_faces_come_back_at_the_size_of_training_faces(tmp_path: Path) -> None:
    split = faces(0, 6, 6)
    samples.write(tmp_path / "held_out.npz", split, SPEC)
    again = samples.read(tmp_path / "held_out.npz", EXPRESSIONS)
    np.testing.assert_array_equal(np.stack(again.faces), np.stack(split.faces))
    np.testing.assert_array_equal(again.labels, split.labels)
    assert again.labels.dtype == np.int64
    assert [path.name for path in tmp_path.iterdir()] == ["held_out.npz"]

    samples.write(tmp_path / "held_out.npz", faces(0, 1, side=200), SPEC)
    assert np.stack(samples.read(tmp_path / "held_out.npz", EXPRESSIONS).faces).shape == (2, 48, 48)


def arrays(**values: npt.NDArray[np.generic]) -> dict[str, npt.NDArray[np.generic]]:
    return {"faces": np.zeros((2, 48, 48), np.uint8), "labels": np.zeros(2, np.int64), **values}


@pytest.mark.parametrize(
    "content",
    [
        {"faces": np.zeros((2, 48, 48), np.uint8)},
        arrays(faces=np.zeros((2, 48, 48), np.float32)),
        arrays(faces=np.zeros((2, 48), np.uint8)),
        arrays(labels=np.zeros(3, np.int64)),
        arrays(labels=np.asarray([0, 7])),
        arrays(labels=np.asarray([0, -1])),
    ],
    ids=["no labels", "float", "flat", "more labels", "label 7", "label -1"],
)
def test_faces_of_another_form_are_refused(content: dict[str, npt.NDArray[np.generic]], tmp_path: Path) -> None:
    path = tmp_path / "held_out.npz"
    np.savez(path, **content)
    with pytest.raises(DataError, match=r"held_out.npz .*train again"):
        samples.read(path, EXPRESSIONS)


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "cut", "one bit"])
def test_damaged_faces_are_told(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "held_out.npz"
    samples.write(path, faces(0, 1, 2), SPEC)
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "text": b"no faces", "cut": content[: len(content) // 2]}.get(damage, content))
    positions = range(60, len(content) - 400, 97) if damage == "one bit" else range(1)
    for position in positions:
        if damage == "one bit":
            path.write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
        with pytest.raises(DataError, match=r"held_out.npz .*train again"):
            samples.read(path, EXPRESSIONS)


@pytest.mark.parametrize("damage", ["missing", "empty", "text", "cut", "middle", "no archive"])
def test_a_damaged_keras_model_is_told(damage: str, tiny_run: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(tiny_run, tmp_path / "run")) / "model.keras"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        middle = len(content) // 2
        path.write_bytes(
            {
                "empty": b"",
                "text": b"no model",
                "cut": content[:middle],
                "middle": content[:middle] + b"\0" * 100 + content[middle + 100 :],
                "no archive": content[100:-100],
            }[damage]
        )
    with pytest.raises(FerError, match=r"model.keras cannot be loaded: .+; train again"):
        RunFolder(tmp_path / "run").model()


def test_a_sample_holds_each_class_in_its_share() -> None:
    counts = [600, 300, 90, 9, 1]
    split = faces(*np.repeat(range(5), counts), side=8)
    chosen = samples.draw(split, 100, seed=3)
    assert np.bincount(chosen.labels).tolist() == [59, 30, 9, 1, 1]
    whole = {face.tobytes(): label for face, label in zip(split.faces, split.labels, strict=True)}
    assert [whole[face.tobytes()] for face in chosen.faces] == chosen.labels.tolist()
    assert len({face.tobytes() for face in chosen.faces}) == len(chosen)


def test_a_sample_is_the_seeds() -> None:
    split = faces(*[0, 1] * 50, side=8)

    def picked(seed: int) -> bytes:
        return b"".join(face.tobytes() for face in samples.draw(split, 20, seed).faces)

    assert picked(1) == picked(1)
    assert picked(1) != picked(2)


@pytest.mark.parametrize("size", [4, 5])
def test_a_sample_of_everything_is_everything(size: int) -> None:
    split = faces(0, 0, 1, 3)
    assert samples.draw(split, size, seed=0) is split
