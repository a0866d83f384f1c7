from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fer_edge import evaluation
from fer_edge.classifier import Classifier
from fer_edge.errors import FerError, UsageError
from fer_edge.labels import EXPRESSIONS
from fer_edge.preprocessing import fit_face, to_input
from fer_train.datasets import Split
from fer_train.judging import predicting
from fer_train.judging.task import task
from fer_train.run_folder import RunFolder

SHUFFLED = ("sad", "happy", "fear", "neutral", "surprise", "angry", "disgust")


def relabelled(run: Path, path: Path, **fields: Any) -> Path:
    """Copy a run with other fields in its `run.json`."""
    shutil.copytree(run, path)
    content = json.loads((run / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**content, **fields}))
    return path


@pytest.fixture(scope="module")
def by_run(plain_run: Path, few: Any) -> npt.NDArray[np.float32]:
    return predicting.probabilities(plain_run, few.split("public"), EXPRESSIONS)


def test_a_run_answers_as_its_model_does(plain_run: Path, few: Any, by_run: npt.NDArray[np.float32]) -> None:
    run = RunFolder(plain_run)
    inputs = to_input(np.stack([fit_face(face, run.info.input) for face in few.split("public").faces]), run.info.input)
    assert (by_run.shape, by_run.dtype) == ((21, 7), np.float32)
    assert np.abs(by_run - run.model().predict(inputs, verbose=0)).max() < 1e-5
    assert len(np.unique(by_run.round(4), axis=0)) > 10


def test_a_model_file_answers_as_on_the_device(model_path: Path, few: Any) -> None:
    split = few.split("public")
    given = predicting.probabilities(model_path, split, EXPRESSIONS)
    np.testing.assert_array_equal(given, evaluation.predict(Classifier.load(model_path), split.faces))
    assert given.dtype == np.float32


def test_each_face_is_a_step(plain_run: Path, model_path: Path, few: Any) -> None:
    for path in (plain_run, model_path):
        steps: list[int] = []
        predicting.probabilities(path, few.split("train"), EXPRESSIONS, steps.append)
        assert sum(steps) == 70
        assert len(steps) > 1


def test_columns_are_in_the_order_asked_for(
    plain_run: Path, few: Any, by_run: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    split = few.split("public")
    order = [EXPRESSIONS.index(label) for label in SHUFFLED]
    np.testing.assert_array_equal(predicting.probabilities(plain_run, split, SHUFFLED), by_run[:, order])
    other = relabelled(plain_run, tmp_path / "other", labels=SHUFFLED)
    again = predicting.probabilities(other, split, EXPRESSIONS)
    np.testing.assert_array_equal(again[:, order], by_run)


def test_models_tell_what_they_are(plain_run: Path, model_path: Path) -> None:
    run, metadata = RunFolder(plain_run), Classifier.load(model_path).metadata
    opened = predicting.open_model(plain_run)
    assert (opened.kind, opened.name, opened.labels, opened.bytes) == ("run", "plain", EXPRESSIONS, None)
    assert (opened.parameters, opened.input, opened.epochs) == (run.info.parameters, run.info.input, run.info.epochs)
    opened = predicting.open_model(model_path)
    assert (opened.kind, opened.name, opened.bytes) == ("tflite", metadata.name, model_path.stat().st_size)
    assert (opened.parameters, opened.input, opened.epochs) == (metadata.parameters, metadata.input, None)


def test_other_labels_are_told(plain_run: Path, few: Any) -> None:
    with pytest.raises(UsageError, match=r"plain tells apart angry, .*neutral, not happy, sad$"):
        predicting.probabilities(plain_run, few.split("public"), ("happy", "sad"))


@pytest.mark.parametrize("damage", ["labels", "input"])
def test_a_model_that_contradicts_its_run_is_told(damage: str, plain_run: Path, few: Any, tmp_path: Path) -> None:
    spec = json.loads((plain_run / "run.json").read_text())["input"]
    fields = {"labels": {"labels": EXPRESSIONS[:6]}, "input": {"input": {**spec, "height": 20}}}[damage]
    path = relabelled(plain_run, tmp_path / "run", **fields)
    with pytest.raises(FerError, match=r"contradicts its run\.json; train again"):
        predicting.probabilities(path, few.split("public"), predicting.open_model(path).labels)


def test_damaged_weights_are_told(plain_run: Path, few: Any, tmp_path: Path) -> None:
    path = Path(shutil.copytree(plain_run, tmp_path / "run"))
    model = RunFolder(path).model()
    model.set_weights([np.full_like(weights, np.nan) for weights in model.get_weights()])
    model.save(path / "model.keras")
    with pytest.raises(FerError, match=r"probabilities that are no numbers: .*; train again"):
        predicting.probabilities(path, few.split("public"), EXPRESSIONS)


def test_an_average_weighs_all_alike() -> None:
    members = [np.array([[0.9, 0.1], [0.2, 0.8]], np.float32), np.array([[0.3, 0.7], [0.6, 0.4]], np.float32)]
    averaged = predicting.average(members)
    assert averaged.dtype == np.float32
    np.testing.assert_allclose(averaged, [[0.6, 0.4], [0.4, 0.6]], rtol=1e-6)


def test_a_task_takes_the_images_of_the_models_labels(few: Any) -> None:
    chosen = task(few, ("sad", "happy"), None)
    assert (chosen.data, chosen.name, chosen.labels) == ("few", "public", ("sad", "happy"))
    numbers = [EXPRESSIONS.index("sad"), EXPRESSIONS.index("happy")]
    of_them = [number for number, label in enumerate(few.split("public").labels) if label in numbers]
    assert chosen.split.labels.tolist() == [numbers.index(few.split("public").labels[number]) for number in of_them]
    for face, number in zip(chosen.split.faces, of_them, strict=True):
        np.testing.assert_array_equal(face, few.split("public").faces[number])


def test_a_task_finds_the_leaks(few: Any) -> None:
    train = few.split("train")
    faces, labels = (*few.split("public").faces, train.faces[3]), np.append(few.split("public").labels, 0)
    leaking = type(few)("leaking", EXPRESSIONS, {"train": train, "public": Split(faces, labels)})
    alone, after = task(few, EXPRESSIONS, "public").leaked, task(leaking, EXPRESSIONS, "public").leaked
    assert alone is not None
    assert after is not None
    assert after.tolist() == [*alone.tolist(), True]
    # Everything of the training split is in the training split: no number worth telling.
    assert task(few, EXPRESSIONS, "train").leaked is None
