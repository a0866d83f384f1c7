"""The faces that ranges come from: whose, how many, and what is told of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_convert import calibration, parent
from fer_convert.cli import main
from fer_edge.errors import DataError
from fer_edge.labels import EXPRESSIONS
from fer_train.datasets import Split
from fer_train.run_folder import CALIBRATION, HELD_OUT, RunFolder


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def reported(out: Path, *arguments: object) -> dict[str, Any]:
    result = convert(*arguments, "--int8", "--max-drop", "100", "--out", out)
    assert result.exit_code == 0, result.output
    (path,) = out.glob("*-int8.json")
    found: dict[str, Any] = json.loads(path.read_text())["calibration"]
    return found


def pixels(split: Split) -> set[bytes]:
    return {face.tobytes() for face in split.faces}


@pytest.fixture(scope="module")
def small(plain_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a run that kept 70 of its 280 training faces, unevenly: 28 of one class, 7 of each other."""
    run = Path(shutil.copytree(plain_run, tmp_path_factory.mktemp("small") / "small"))
    kept = RunFolder(run).calibration()
    sizes = [28, 7, 7, 7, 7, 7, 7]
    chosen = np.concatenate([np.flatnonzero(kept.labels == label)[:size] for label, size in enumerate(sizes)])
    np.savez(run / CALIBRATION, faces=np.stack(kept.take(chosen).faces), labels=kept.labels[chosen])
    return run


def test_a_run_is_calibrated_on_what_it_kept(small: Path, tmp_path: Path) -> None:
    counts = dict(zip(EXPRESSIONS, [28, 7, 7, 7, 7, 7, 7], strict=True))
    assert reported(tmp_path, small) == {"data": "FER2013", "size": 70, "seed": 1, "counts": counts}


def test_fewer_are_drawn_by_class(small: Path) -> None:
    run = RunFolder(small)
    drawn = [parent.of_run(run, size=30).calibration for _ in range(2)]
    assert drawn[0].info.counts == dict(zip(EXPRESSIONS, [12, 3, 3, 3, 3, 3, 3], strict=True))
    assert (drawn[0].info.size, drawn[0].info.seed) == (30, run.info.settings.seed)
    assert pixels(drawn[0].faces) <= pixels(run.calibration())
    assert pixels(drawn[0].faces) == pixels(drawn[1].faces)


def test_more_come_from_the_data(small: Path, mini_csv: Path, the_error: Callable[[Result], str]) -> None:
    result = convert(small, "--calibration", "140", "--out", small / "out")
    assert (result.exit_code, the_error(result)) == (
        2,
        f"{small} kept 70 faces to calibrate with: for 140 give its data with --data",
    )
    run = RunFolder(small)
    data = run.data(mini_csv)
    drawn = parent.of_run(run, data, 140).calibration
    assert drawn.info.counts == dict.fromkeys(EXPRESSIONS, 20)
    assert pixels(drawn.faces) <= pixels(data.split("train"))
    # One picture is in both splits.
    assert pixels(data.split("train")) & pixels(data.split("public"))
    assert not pixels(parent.of_run(run, data, 279).calibration.faces) & pixels(data.split("public"))


def test_more_of_other_data_are_refused(
    small: Path, mini_folders: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    result = convert(small, "--calibration", "20", "--data", mini_folders, "--out", tmp_path)
    assert result.exit_code == 2
    assert the_error(result).endswith("is not the data that the run was trained on (its fingerprint differs)")


def test_the_number_is_what_was_asked_for() -> None:
    random = np.random.default_rng(1)
    split = Split(
        tuple(np.zeros((1_000, 8, 8), np.uint8)), random.choice(7, 1_000, p=[0.3, 0.3, 0.2, 0.1, 0.05, 0.04, 0.01])
    )
    for size in (7, 8, 50, 99, 500, 1_000):
        drawn = calibration.draw(split, EXPRESSIONS, size, data="", seed=1)
        assert drawn.info.size == len(drawn.faces) == sum(drawn.info.counts.values()) == size
        for count, whole in zip(drawn.info.counts.values(), np.bincount(split.labels), strict=True):
            assert count >= 1
            assert abs(count - size * whole / 1_000) < 3


@pytest.mark.parametrize(("kept", "reason"), [(3, "of happy alone"), (None, "none")])
def test_faces_that_say_nothing_are_told(
    kept: int | None, reason: str, plain_run: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    run = Path(shutil.copytree(plain_run, tmp_path / "run"))
    faces = RunFolder(run).calibration()
    chosen = np.flatnonzero(faces.labels == kept)
    np.savez(run / CALIBRATION, faces=np.stack(faces.faces)[chosen], labels=faces.labels[chosen])
    result = convert(run, "--int8", "--out", tmp_path / "out")
    assert result.exit_code == 1
    if kept is None:
        assert the_error(result) == f"{run / CALIBRATION} holds no face; train again"
    else:
        assert the_error(result).startswith(f"the faces of FER2013 to calibrate with are {reason}: ")
        # What needs none is converted.
        assert convert(run, "--fp32", "--out", tmp_path / "float").exit_code == 0
    assert not (tmp_path / "out").exists()


def test_no_faces_at_all_are_told() -> None:
    nothing = calibration.draw(Split((), np.zeros(0, np.int64)), EXPRESSIONS, None, data="FER2013", seed=1)
    with pytest.raises(DataError, match=r"^the faces of FER2013 to calibrate with are none: "):
        nothing.check()


def test_nothing_to_judge_by_is_told(plain_run: Path, tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    run = Path(shutil.copytree(plain_run, tmp_path / "run"))
    np.savez(run / HELD_OUT, faces=np.zeros((0, 16, 16), np.uint8), labels=np.zeros(0, np.int64))
    result = convert(run, "--fp32", "--out", tmp_path / "out")
    assert (result.exit_code, the_error(result)) == (1, f"{run / HELD_OUT} holds no face; train again")
