"""`fer-train inspect`: counts before and after balancing, and a report with pictures."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_edge.labels import EXPRESSIONS
from fer_train import datasets, inspecting, showing
from fer_train.cli import main


def inspect(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def uneven_csv(mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the mini data with 10 training faces of disgust, and one more face of PublicTest in train as well.

    One of disgust is in both in FER2013 itself.
    """
    lines = mini_csv.read_text().splitlines()
    disgusted = [line for line in lines if line.startswith("1,") and line.endswith("Training")]
    leaked = next(line for line in lines if line.startswith("3,") and line.endswith("PublicTest"))
    kept = [line for line in lines if line not in disgusted[10:]]
    path = tmp_path_factory.mktemp("uneven") / "fer2013.csv"
    path.write_text("\n".join([*kept, leaked.replace("PublicTest", "Training")]) + "\n")
    return path


@pytest.fixture(scope="module")
def report(uneven_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    out = tmp_path_factory.mktemp("report") / "data"
    result = inspect("--data", uneven_csv, "--out", out)
    assert result.exit_code == 0, result.output
    return result, out


def test_counts_are_told_before_and_after(report: tuple[Result, Path]) -> None:
    rows = [re.split(r"\s{2,}", line) for line in report[0].stdout.splitlines()]
    header = ["training images", "as it is", "--drop-duplicates", "--balance oversample", "weight"]
    first = rows.index(header) + 2
    # 251 = 6 x 40 + 10 + the leaked one; 251 / (7 x 40) = 0.90, 251 / 70 = 3.59, 251 / (7 x 41) = 0.87
    assert rows[first : first + 8] == [
        ["angry", "40", "40", "41", "0.90"],
        ["disgust", "10", "9", "41", "3.59"],
        ["fear", "40", "40", "41", "0.90"],
        ["happy", "41", "40", "41", "0.87"],
        ["sad", "40", "40", "41", "0.90"],
        ["surprise", "40", "40", "41", "0.90"],
        ["neutral", "40", "40", "41", "0.90"],
        ["all", "251", "249", "287"],
    ]
    assert "2 images of public are in train as well" in report[0].stdout


def test_the_report_is_whole(report: tuple[Result, Path]) -> None:
    result, out = report
    assert result.stdout.splitlines()[-1] == f"wrote {out / 'report.html'}"
    assert sorted(path.name for path in out.iterdir()) == [
        "augmentation.png",
        "report.html",
        "report.json",
        "samples.png",
    ]
    for picture in ("augmentation.png", "samples.png"):
        assert cv2.imread(str(out / picture)) is not None
    content = json.loads((out / "report.json").read_text())
    assert content["train_counts"]["--balance oversample"] == dict.fromkeys(EXPRESSIONS, 41)
    assert content["class_weights"]["disgust"] == 3.5857
    assert content["defects"]["leaked"] == {"public": 2}
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


def test_samples_are_of_their_class_and_augmentation_is_what_training_sees(mini_csv: Path) -> None:
    data = datasets.load(mini_csv)
    rows = showing.samples(data, 5, seed=1)
    assert list(rows) == list(EXPRESSIONS)
    train = data.split("train")
    for number, faces in enumerate(rows.values()):
        own = {train.faces[index].tobytes() for index in np.flatnonzero(train.labels == number)}
        assert len(faces) == 5
        assert {face.tobytes() for face in faces} <= own
    levels = showing.augmentations(data, 6, seed=1)
    assert list(levels) == ["none", "light", "standard", "camera", "strong"]
    # Untouched, they are faces of the data; no level shows the same as another.
    assert {face.tobytes() for face in levels["none"]} <= {face.tobytes() for face in train.faces}
    assert len({np.stack(faces).tobytes() for faces in levels.values()}) == 5
    assert all(face.shape == (48, 48) and face.dtype == np.uint8 for faces in levels.values() for face in faces)


def test_the_json_alone_needs_no_tensorflow(mini_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert inspect("--data", mini_csv, "--json", tmp_path / "counts.json").exit_code == 0
    facts = inspecting.facts(datasets.load(mini_csv))
    assert json.loads((tmp_path / "counts.json").read_text())["sha256"] == facts["sha256"]


def test_an_out_that_cannot_be_written_is_told(
    mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    (tmp_path / "file").write_text("precious")
    result = inspect("--data", mini_csv, "--out", tmp_path / "file")
    assert str(tmp_path / "file") in the_error(result)
    assert (tmp_path / "file").read_text() == "precious"
