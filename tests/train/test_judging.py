from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from sklearn import metrics as reference

from fer_edge.errors import FerError, UsageError
from fer_edge.evaluation import wilson_interval
from fer_edge.metadata import Accuracy
from fer_edge.preprocessing import Pixels
from fer_edge.reliability import Bin
from fer_train.datasets import Split
from fer_train.judging import figures, report, summary
from fer_train.judging.judgement import ClassReport, Confusion, Judgement
from fer_train.judging.metrics import judge
from fer_train.judging.page import Section

NAMES = ("a", "b", "c", "d")
LABELS = np.array([0, 0, 0, 1, 1, 2], np.int64)
# Nobody is d, and nobody is called c.
PROBABILITIES = np.array(
    [
        [0.90, 0.10, 0.00, 0.00],
        [0.62, 0.38, 0.00, 0.00],
        [0.10, 0.85, 0.05, 0.00],
        [0.20, 0.70, 0.10, 0.00],
        [0.10, 0.30, 0.10, 0.50],
        [0.55, 0.45, 0.00, 0.00],
    ],
    np.float32,
)
LEAKED = np.array([True, False, False, False, True, False])
RIGHT, WRONG, BLUE, ORANGE = (0, 105, 76), (179, 58, 0), (0, 114, 178), (213, 94, 0)


@pytest.fixture(scope="module")
def judged() -> Judgement:
    return judge("public", PROBABILITIES, LABELS, NAMES, LEAKED)


def counted(correct: int, total: int) -> Accuracy:
    low, high = wilson_interval(correct, total)
    return Accuracy(split="public", correct=correct, total=total, low=low, high=high)


def test_each_measure_is_what_a_hand_counts(judged: Judgement) -> None:
    assert judged.accuracy == counted(3, 6)
    assert judged.leaked == 2
    assert judged.without_leaked == counted(2, 4)
    assert judged.balanced_accuracy == judged.macro_f1 == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert judged.negative_log_likelihood == pytest.approx(-np.log([0.9, 0.62, 0.1, 0.7, 0.3, 1e-7]).mean())
    assert judged.calibration_error == pytest.approx((0.1 + 0.38 + 0.85 + 0.3 + 0.5 + 0.55) / 6)
    assert judged.confusion == ((2, 1, 0, 0), (0, 1, 0, 1), (1, 0, 0, 0), (0, 0, 0, 0))
    assert judged.confusions == (
        Confusion(label="a", predicted="b", images=1, confident=1),
        Confusion(label="b", predicted="d", images=1, confident=0),
        Confusion(label="c", predicted="a", images=1, confident=0),
    )


def test_what_cannot_be_counted_is_none(judged: Judgement) -> None:
    two_thirds = pytest.approx(2 / 3)
    assert [msgspec.structs.astuple(one) for one in judged.classes] == [
        ("a", two_thirds, two_thirds, two_thirds, 3),
        ("b", 0.5, 0.5, 0.5, 2),
        ("c", None, 0.0, 0.0, 1),
        ("d", 0.0, None, None, 0),
    ]


@pytest.mark.parametrize(
    ("leaked", "number", "without"),
    [(None, None, None), (np.ones(6, bool), 6, None), (np.zeros(6, bool), 0, counted(3, 6))],
    ids=["not looked for", "all", "none"],
)
def test_leaks_of_every_extent(leaked: Any, number: int | None, without: Accuracy | None) -> None:
    found = judge("public", PROBABILITIES, LABELS, NAMES, leaked)
    assert (found.leaked, found.without_leaked) == (number, without)


def test_measures_agree_with_scikit_learns() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 4, 500)
    given = (random.dirichlet(np.ones(4), 500) * 0.7 + 0.3 * np.eye(4)[labels]).astype(np.float32)
    found, predicted = judge("public", given, labels, NAMES, None), given.argmax(axis=1)
    exact = given.astype(np.float64) / given.sum(axis=1, keepdims=True, dtype=np.float64)
    assert found.balanced_accuracy == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    assert found.macro_f1 == pytest.approx(reference.f1_score(labels, predicted, average="macro"))
    assert found.negative_log_likelihood == pytest.approx(reference.log_loss(labels, exact), 1e-5)
    assert np.array_equal(found.confusion, reference.confusion_matrix(labels, predicted))
    assert [one.precision for one in found.classes] == pytest.approx(
        reference.precision_score(labels, predicted, average=None).tolist()
    )


def test_answers_are_binned_by_confidence() -> None:
    confidences = [0.5, 0.52, 8 / 15 - 1e-6, 8 / 15 + 1e-6, 1.0]
    given = np.array([[share, 1 - share] for share in confidences], np.float32)
    found = judge("public", given, np.array([0, 1, 1, 0, 0], np.int64), ("a", "b"), None)
    assert [one.images for one in found.reliability] == [0] * 7 + [3, 1] + [0] * 5 + [1]
    mean = pytest.approx((0.5 + 0.52 + 8 / 15) / 3, abs=1e-5)
    assert msgspec.structs.astuple(found.reliability[7]) == (
        pytest.approx(7 / 15),
        pytest.approx(8 / 15),
        3,
        mean,
        pytest.approx(1 / 3),
    )
    assert found.reliability[0] == Bin(low=0.0, high=pytest.approx(1 / 15), images=0, confidence=None, accuracy=None)
    gaps = (0.5 + 0.52 + 8 / 15 - 1) + (1 - 8 / 15) + 0
    assert found.calibration_error == pytest.approx(gaps / 5, abs=1e-5)


def test_confusions_are_sorted_by_their_confident_mistakes() -> None:
    # Each a is called b without confidence, b is called a with it, each c is called a without.
    given = np.array([[0.4, 0.6, 0]] * 3 + [[0.9, 0.1, 0]] + [[0.6, 0, 0.4]] * 2, np.float32)
    found = judge("public", given, np.array([0, 0, 0, 1, 2, 2], np.int64), ("a", "b", "c"), None).confusions
    assert [msgspec.structs.astuple(one) for one in found] == [("b", "a", 1, 1), ("a", "b", 3, 0), ("c", "a", 2, 0)]


def picture(content: bytes) -> npt.NDArray[np.uint8]:
    """Decode a PNG to [H, W, 3] RGB."""
    decoded = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded[..., ::-1], np.uint8)


def pixels_of(content: bytes, color: tuple[int, int, int]) -> int:
    return int(np.count_nonzero((picture(content) == color).all(axis=-1)))


class Gray(Sequence[Pixels]):
    """Faces of one grey level each, that tell which were looked at."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.seen: list[int] = []

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: Any) -> Any:
        if index >= self.number:
            raise IndexError(index)
        self.seen.append(index)
        return np.full((48, 48), 30 + 20 * index, np.uint8)


def levels(content: bytes) -> list[int]:
    """Give the grey levels of 96-pixel faces, in the order of reading."""
    found = picture(content)
    gray = (found == found[..., :1]).all(axis=-1)
    places = {}
    for level in range(30, 151, 20):
        rows, columns = np.nonzero(gray & (found[..., 0] == level))
        if len(rows) > 9000:
            places[int(rows.min()), int(columns.min())] = level
    return [places[place] for place in sorted(places)]


def test_mistakes_are_drawn_the_most_confident_first() -> None:
    faces = Gray(6)
    content = figures.mistakes(faces, LABELS, PROBABILITIES, NAMES)
    assert levels(content) == [30 + 20 * number for number in (2, 5, 4)]
    assert pixels_of(content, WRONG) > 3 * 4 * 96
    assert pixels_of(content, RIGHT) == 0
    assert faces.seen == [2, 5, 4]
    assert levels(figures.mistakes(faces, LABELS, PROBABILITIES, NAMES, shown=1)) == [70]


def test_no_mistake_is_a_sentence() -> None:
    content = figures.mistakes(Gray(2), LABELS[:2], PROBABILITIES[:2], NAMES)
    assert picture(content).shape == (80, 640, 3)
    assert picture(content).min() < 128


def test_a_sample_of_answers_is_the_seeds() -> None:
    def drawn(seed: int) -> list[int]:
        return levels(figures.predictions(Gray(6), LABELS, PROBABILITIES, NAMES, shown=4, seed=seed))

    assert len(set(drawn(1))) == 4
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    content = figures.predictions(Gray(6), LABELS, PROBABILITIES, NAMES)
    assert sorted(levels(content)) == [30, 50, 70, 90, 110, 130]
    frames = 3 * 4 * 96
    assert all(3 * frames < pixels_of(content, color) < 4 * frames for color in (RIGHT, WRONG))


def test_faces_stand_in_their_rows() -> None:
    faces = Gray(6)
    content = figures.faces_grid({"first": [faces[3], faces[1]], "second": [faces[2]]})
    assert levels(content) == [90, 50, 70]
    assert np.ptp(picture(content)[:, :60]) > 128  # names to the left


EPOCHS = [
    {"loss": 2.0, "accuracy": 0.2, "val_loss": 1.9, "val_accuracy": 0.3},
    {"loss": 1.5, "accuracy": 0.4, "val_loss": 1.8, "val_accuracy": 0.2},
]


@pytest.mark.parametrize(
    ("epochs", "validated"),
    [
        (EPOCHS, True),
        (EPOCHS[:1], True),
        ([{"loss": 2.0, "learning_rate": 0.1}], False),
    ],
    ids=["two", "one", "loss alone"],
)
def test_curves_show_the_metrics_there_are(epochs: list[dict[str, float]], validated: bool) -> None:
    content = figures.curves(epochs)
    assert picture(content).shape == (380, 920, 3)
    assert pixels_of(content, BLUE) > 20
    assert (pixels_of(content, ORANGE) > 20) is validated


def test_charts_are_pictures(judged: Judgement) -> None:
    confusion = figures.confusion(judged.confusion, NAMES)
    assert np.ptp(picture(confusion)) == 255
    more = figures.confusion(np.eye(8, dtype=int).tolist(), [f"class {number}" for number in range(8)])
    assert picture(more).shape[0] > picture(confusion).shape[0] + 200
    bars = figures.reliability(judged.reliability, judged.calibration_error)
    full = tuple(msgspec.structs.replace(one, accuracy=1.0, images=1, confidence=0.5) for one in judged.reliability)
    assert 1000 < pixels_of(bars, BLUE) < pixels_of(figures.reliability(full, 0.5), BLUE)


def test_nothing_reaches_for_pyplots_global_state() -> None:
    code = (
        "import sys, fer_train.judging.report; print('matplotlib.pyplot' in sys.modules, 'tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_words_are_those_of_the_numbers(judged: Judgement) -> None:
    assert summary.as_text(judged).splitlines() == [
        "accuracy                                 50.0 % (95 %: 18.8 to 81.2) of 6 on public",
        "without the 2 images that train has too  50.0 % (95 %: 15.0 to 85.0) of 4 on public",
        "balanced accuracy                        38.9 %",
        "macro F1                                 38.9 %",
        "expected calibration error               44.7 %",
        "negative log-likelihood                  3.427",
        "",
        "expression      precision    recall      F1    images",
        "------------  -----------  --------  ------  --------",
        "a                  66.7 %    66.7 %  66.7 %         3",
        "b                  50.0 %    50.0 %  50.0 %         2",
        "c                       -     0.0 %   0.0 %         1",
        "d                   0.0 %         -       -         0",
        "",
        "1 of 3 mistakes are made with a probability of 80 % or more. Most often:",
        "true    answered      confident mistakes    all mistakes",
        "------  ----------  --------------------  --------------",
        "a       b                              1               1",
    ]


@pytest.mark.parametrize("epochs", [None, EPOCHS])
def test_a_report_is_whole(epochs: Any, judged: Judgement, tmp_path: Path) -> None:
    out, split = tmp_path / "deep" / "report", Split(tuple(Gray(6)), LABELS)
    extra = Section("Members", ("<b>two</b>",))
    arguments: dict[str, Any] = {"epochs": epochs, "extra_sections": (extra,), "extra_fields": {"data": "small"}}
    report.write(out, "mine", judged, split, PROBABILITIES, NAMES, **arguments)
    pictures = {
        "confusion.png",
        "reliability.png",
        "mistakes.png",
        "predictions.png",
        *(["curves.png"] if epochs else []),
    }
    assert {file.name for file in out.iterdir()} == {"report.html", "report.json", *pictures}
    page = (out / "report.html").read_text()
    assert page.count("<img ") == len(pictures)
    assert "&lt;b&gt;two&lt;/b&gt;" in page
    content = msgspec.json.decode((out / "report.json").read_bytes())
    assert (content.pop("name"), content.pop("data")) == ("mine", "small")
    assert msgspec.convert(content, Judgement) == judged
    assert content["classes"][3] == msgspec.to_builtins(
        ClassReport(label="d", precision=0.0, recall=None, f1=None, support=0)
    )


def test_a_report_does_not_take_the_place_of_a_file(judged: Judgement, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    split = Split(tuple(Gray(6)), LABELS)
    with pytest.raises(UsageError, match="is a file: --out names a folder"):
        report.write(tmp_path / "file", "mine", judged, split, PROBABILITIES, NAMES)
    with pytest.raises(FerError):
        report.write(tmp_path / "file" / "below", "mine", judged, split, PROBABILITIES, NAMES)
    assert (tmp_path / "file").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failure_on_the_way_leaves_no_part_of_a_file(
    judged: Judgement, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(FerError, match="No space left on device"):
        report.write(tmp_path, "mine", judged, Split(tuple(Gray(6)), LABELS), PROBABILITIES, NAMES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("package", "module"),
    [("jinja2", "judging"), ("matplotlib", "judging"), ("sklearn.metrics", "judging.metrics")],
)
def test_missing_parts_of_the_extra_are_told(package: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    loaded = importlib.import_module(f"fer_train.{module}")
    monkeypatch.setitem(sys.modules, package, None)
    name = package.partition(".")[0]
    with pytest.raises(FerError, match=rf"{name} is not installed: .*pip install 'fer-edge\[workstation\]'"):
        importlib.reload(loaded)
