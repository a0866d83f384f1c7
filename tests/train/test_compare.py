"""`fer-train compare`: runs in one table, best first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from fer_edge.evaluation import wilson_interval
from fer_edge.metadata import Accuracy
from fer_train.cli import main
from fer_train.run_folder import INFO, RunFolder, RunInfo, write_info


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)], catch_exceptions=False)


def accuracy(split: str, correct: int) -> Accuracy:
    low, high = wilson_interval(correct, 100)
    return Accuracy(split=split, correct=correct, total=100, low=low, high=high)


@pytest.fixture
def runs(tiny_run: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Give two runs, of 40 and 60 right answers in a hundred."""
    info = RunFolder(tiny_run).info
    paths = []
    for name, correct in (("a", 40), ("b", 60)):
        changed: RunInfo = msgspec.structs.replace(
            info,
            accuracy=accuracy("public", correct),
            train_accuracy=accuracy("train", 90),
            loss=1.25,
            seconds=90.0,
            parameters=1_234_567,
            multiply_accumulates=8_150_000,
            epochs=info.epochs[:1],
        )
        path = tmp_path / name
        path.mkdir()
        write_info(path, changed)
        (path / "model.keras").write_bytes(b"x" * 1_250_000)
        paths.append(path)
    return paths[0], paths[1]


def test_the_best_comes_first(runs: tuple[Path, Path], tmp_path: Path) -> None:
    result = compare(*runs, "--out", tmp_path / "table.md")
    assert result.exit_code == 0, result.output
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in result.stdout.splitlines()]
    same = ["mobilenetv2", "32 x 32 x 3", "1,234,567", "8.2 M", "1.2 MB", "1", "1.5 min", "1.250", "90.0 %"]
    assert [row[0] for row in cells[2:]] == ["b", "a"]
    assert cells[2] == ["b", *same, "60.0 % (50.2 to 69.1)"]
    assert cells[3] == ["a", *same, "40.0 % (30.9 to 49.8)"]
    assert cells[0][-1] == "accuracy public (95 %)"
    assert (tmp_path / "table.md").read_text() == result.stdout


def test_json_holds_the_same(runs: tuple[Path, Path], tmp_path: Path) -> None:
    assert compare(*runs, "--out", tmp_path / "table.json").exit_code == 0
    rows = json.loads((tmp_path / "table.json").read_text())
    assert [(row["run"], row["accuracy"]["correct"], row["bytes"]) for row in rows] == [
        ("b", 60, 1_250_000),
        ("a", 40, 1_250_000),
    ]


def test_a_run_of_an_older_version_is_compared(runs: tuple[Path, Path]) -> None:
    content = json.loads((runs[0] / INFO).read_text())
    for name in ("loss", "train_accuracy", "multiply_accumulates"):
        del content[name]
    (runs[0] / INFO).write_text(json.dumps(content))
    result = compare(runs[0])
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1].count(" - ") == 3


def test_different_data_is_no_comparison(runs: tuple[Path, Path], the_error: Callable[[Result], str]) -> None:
    text = (runs[1] / INFO).read_text()
    sha = RunFolder(runs[1]).info.data.sha256
    (runs[1] / INFO).write_text(text.replace(sha, sha[::-1]))
    result = compare(*runs)
    assert (result.exit_code, the_error(result)) == (
        2,
        f"{runs[0]} and {runs[1]} were trained on different data: no comparison",
    )


def test_wrong_arguments_are_told(runs: tuple[Path, Path], tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    assert the_error(compare(tmp_path)).startswith(f"{tmp_path} is not a run folder")
    wrong = compare(*runs, "--out", tmp_path / "table.txt")
    assert (wrong.exit_code, the_error(wrong)) == (2, f"{tmp_path / 'table.txt'}: the table is written as .md or .json")
    assert compare().exit_code == 2
