from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result

from fer_edge import reliability
from fer_edge.errors import FerError
from fer_edge.labels import EXPRESSIONS
from fer_train import architectures, calibrating
from fer_train.architectures import Plan
from fer_train.cli import main
from fer_train.datasets import Dataset
from fer_train.judging import predicting
from fer_train.keras_setup import keras
from fer_train.run_folder import RunFolder

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def honest(number: int, seed: int = 0) -> tuple[Floats, Labels]:
    """Give [number, 7] probabilities that are exactly what they say: the labels are drawn by them."""
    random = np.random.default_rng(seed)
    probabilities = random.dirichlet(np.full(7, 0.3), number)
    labels = (random.random((number, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    return probabilities.astype(np.float32), np.minimum(labels, 6)


def error(probabilities: Floats, labels: Labels) -> float:
    return reliability.calibration_error(reliability.bins(probabilities, labels))


@pytest.mark.parametrize("wrong_by", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_that_made_scores_dishonest(wrong_by: float) -> None:
    probabilities, labels = honest(20_000)
    # Scores times 2.5 are too confident, and a temperature of 2.5 takes that back.
    dishonest = calibrating.scaled(probabilities, 1 / wrong_by)
    found = calibrating.measure("public", dishonest, labels, 1)
    assert found.temperature == pytest.approx(wrong_by, rel=0.03)
    assert found.error_before == pytest.approx(error(dishonest, labels))
    assert found.error < 0.015
    assert found.cross_fitted_error is not None
    assert found.cross_fitted_error < 0.02
    assert wrong_by == 1 or found.error_before > 5 * found.cross_fitted_error
    np.testing.assert_allclose(calibrating.scaled(dishonest, wrong_by), probabilities, atol=1e-5)


def test_no_other_temperature_is_likelier() -> None:
    probabilities, labels = honest(300, seed=5)
    dishonest = calibrating.scaled(probabilities, 0.6)

    def loss(temperature: float) -> float:
        given = calibrating.scaled(dishonest, temperature)[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(given, 1e-30)).mean())

    best = calibrating.best_temperature(dishonest, labels)
    assert loss(best) <= min(loss(temperature) for temperature in np.geomspace(0.1, 10, 400)) + 1e-6


def test_the_answer_stays_the_same() -> None:
    probabilities, _ = honest(500)
    for temperature in (0.3, 4.0):
        assert np.array_equal(calibrating.scaled(probabilities, temperature).argmax(1), probabilities.argmax(1))


def test_halves_are_judged_by_each_others_temperature() -> None:
    """Make one half of the faces honest and the other too confident: each has the wrong temperature."""
    probabilities, labels = honest(4000)
    mine, other = calibrating._halve(labels, 7)
    assert sorted([*mine, *other]) == list(range(4000))
    counts = [np.bincount(labels[half], minlength=7) for half in (mine, other)]
    assert np.abs(counts[0] - counts[1]).max() <= 1
    probabilities[other] = calibrating.scaled(probabilities[other], 0.5)
    found = calibrating.measure("public", probabilities, labels, 7)
    first, second = found.halves
    assert (first.images, second.images) == (2000, 2000)
    assert first.temperature == pytest.approx(2, rel=0.1)
    assert second.temperature == pytest.approx(1, rel=0.1)
    assert found.cross_fitted_error is not None
    assert found.cross_fitted_error > found.error
    crossed = np.empty_like(probabilities)
    crossed[mine] = calibrating.scaled(probabilities[mine], first.temperature)
    crossed[other] = calibrating.scaled(probabilities[other], second.temperature)
    assert found.cross_fitted_error == pytest.approx(error(crossed, labels))


@pytest.mark.parametrize(("right", "expected"), [(True, calibrating.COLDEST), (False, calibrating.HOTTEST)])
def test_it_stays_within_its_bounds(right: bool, expected: float) -> None:
    """Be right always, so the colder the better, or rather sure and wrong, so the hotter the better."""
    rows = np.full((7, 7), 0.05, np.float32) + np.eye(7, dtype=np.float32) * np.float32(0.65)
    found = calibrating.measure("public", rows, np.arange(7) if right else np.arange(1, 8) % 7, 1)
    assert found.temperature == pytest.approx(expected)
    assert [one.temperature for one in found.halves] == pytest.approx([expected, expected])


def test_certainty_gives_numbers_too() -> None:
    rows = np.eye(7, dtype=np.float32)
    for labels in (np.arange(7), np.arange(1, 8) % 7):
        found = calibrating.measure("public", rows, labels, 1)
        assert calibrating.COLDEST <= found.temperature <= calibrating.HOTTEST
        assert np.isfinite(found.error)


def test_a_split_of_one_image_has_no_halves() -> None:
    found = calibrating.measure("public", *honest(1), 1)
    assert (found.images, found.halves, found.cross_fitted_error) == (1, (), None)
    assert "half" not in calibrating.sentence(found)


@pytest.mark.parametrize("name", ["cnn-1", "complex-cnn-1", "mobilenetv2", "gelu-cnn"])
def test_folding_divides_the_scores(name: str) -> None:
    module = architectures.REGISTRY.load(name)
    model = architectures.build(name, Plan(48, module.CHANNELS[0], 7, alpha=0.35))
    layer = model.get_layer(calibrating.SCORES)
    random = np.random.default_rng(1)
    layer.set_weights([random.normal(0, 0.5, weights.shape).astype(np.float32) for weights in layer.get_weights()])
    faces = random.normal(0, 1, (5, 48, 48, module.CHANNELS[0])).astype(np.float32)
    before = model.predict(faces, verbose=0)
    calibrating.fold(model, 1.7)
    np.testing.assert_allclose(model.predict(faces, verbose=0), calibrating.scaled(before, 1.7), atol=1e-5)


def test_a_model_without_scores_is_refused() -> None:
    source = keras.Input((4,))
    for layer in (keras.layers.Dense(3), keras.layers.Dense(3, activation="softmax", name=calibrating.SCORES)):
        with pytest.raises(FerError, match="no dense layer 'scores' before its softmax"):
            calibrating.fold(keras.Model(source, layer(source)), 2.0)


@pytest.fixture(scope="module")
def runs(mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Train the same model calibrated, uncalibrated, and calibrated afterwards."""
    folder = tmp_path_factory.mktemp("runs")
    small = ("--data", mini_csv, "--arch", "cnn-1", "--input-size", 16, "--epochs", 3, "--seed", 3)
    assert run("fit", *small, "--out", folder / "fitted").exit_code == 0
    assert run("fit", *small, "--no-calibrate", "--out", folder / "plain").exit_code == 0
    result = run("calibrate", folder / "plain", "--data", mini_csv)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == f"wrote {folder / 'plain-calibrated'}"
    return {name: folder / name for name in ("fitted", "plain", "plain-calibrated")}


def answers(path: Path, data: Dataset) -> Floats:
    return predicting.probabilities(path, data.split("public"), EXPRESSIONS)


def test_a_training_is_calibrated_at_its_end(runs: dict[str, Path], mini_csv: Path) -> None:
    fitted, plain = RunFolder(runs["fitted"]), RunFolder(runs["plain"])
    assert (fitted.info.settings.calibrate, plain.info.settings.calibrate) == (True, False)
    assert plain.info.confidence is None
    data = fitted.data(mini_csv)
    before, after, labels = answers(plain.path, data), answers(fitted.path, data), data.split("public").labels
    found = fitted.info.confidence
    assert found == calibrating.measure("public", before, labels, 3)
    np.testing.assert_allclose(after, calibrating.scaled(before, found.temperature), atol=1e-5)
    assert fitted.info.accuracy == plain.info.accuracy
    assert fitted.info.loss is not None
    assert plain.info.loss is not None
    assert fitted.info.loss < plain.info.loss
    report = json.loads((fitted.path / "report.json").read_text())
    assert report["calibration_error"] == pytest.approx(found.error, abs=0.02)


def test_a_run_is_calibrated_afterwards_to_the_same(runs: dict[str, Path]) -> None:
    fitted, plain, afterwards = (RunFolder(path) for path in runs.values())
    assert afterwards.info.confidence == fitted.info.confidence
    ours, theirs = afterwards.model().get_weights(), fitted.model().get_weights()
    assert all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))
    kept = ("settings", "data", "epochs", "best_epoch", "accuracy", "started", "seconds", "versions", "machine")
    for field in kept:
        assert getattr(afterwards.info, field) == getattr(plain.info, field)
    assert sorted(path.name for path in afterwards.path.iterdir()) == sorted(path.name for path in plain.path.iterdir())
    for name in ("held_out.npz", "calibration.npz", "history.csv"):
        assert (afterwards.path / name).read_bytes() == (plain.path / name).read_bytes()
    for name in ("run.json", "report.json", "README.md", "model.keras", "reliability.png"):
        assert (afterwards.path / name).read_bytes() != (plain.path / name).read_bytes()


def test_the_card_says_whether(runs: dict[str, Path]) -> None:
    found = RunFolder(runs["fitted"]).info.confidence
    assert found is not None
    assert calibrating.sentence(found) in (runs["fitted"] / "README.md").read_text()
    assert f"divided by {found.temperature:.3f}" in (runs["plain-calibrated"] / "README.md").read_text()
    assert "Confidence is not calibrated." in (runs["plain"] / "README.md").read_text()


def test_a_run_may_take_its_own_place(runs: dict[str, Path], mini_csv: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(runs["plain"], tmp_path / "run"))
    assert run("calibrate", path, "--data", mini_csv, "--out", path).exit_code == 0
    assert RunFolder(path).info.confidence is not None
    assert RunFolder(tmp_path / "run-1").info == RunFolder(runs["plain"]).info
    assert sorted(one.name for one in tmp_path.iterdir()) == ["run", "run-1"]


def test_a_run_of_an_older_version_is_calibrated(runs: dict[str, Path], mini_csv: Path, tmp_path: Path) -> None:
    """Take away what older versions did not write."""
    path = Path(shutil.copytree(runs["plain"], tmp_path / "old"))
    content: dict[str, Any] = json.loads((path / "run.json").read_text())
    for name in ("loss", "train_accuracy", "multiply_accumulates", "confidence"):
        del content[name]
    del content["settings"]["calibrate"]
    (path / "run.json").write_text(json.dumps(content))
    (path / "README.md").unlink()
    assert run("calibrate", path, "--data", mini_csv, "--out", tmp_path / "new").exit_code == 0
    assert RunFolder(tmp_path / "new").info.confidence == RunFolder(runs["fitted"]).info.confidence
    assert (tmp_path / "new" / "README.md").is_file()


def test_what_cannot_be_calibrated_is_told_in_a_line(
    runs: dict[str, Path],
    mini_csv: Path,
    mini_folders: Path,
    the_error: Callable[[Result], str],
    tmp_path: Path,
) -> None:
    thesis = tmp_path / "thesis"
    thesis.write_text("years")
    for arguments, code, reason in (
        ((tmp_path, "--data", mini_csv), 2, "is not a run folder (no run.json in it)"),
        ((runs["fitted"], "--data", mini_csv), 2, "is calibrated already, by a temperature of "),
        ((runs["plain"], "--data", mini_folders), 2, "is not the data that the run was trained on"),
        ((runs["plain"], "--data", tmp_path / "absent"), 2, "absent"),
        ((runs["plain"], "--data", mini_csv, "--out", thesis), 2, "exists and is not a run folder: choose another"),
    ):
        result = run("calibrate", *arguments)
        assert (result.exit_code, reason in the_error(result)) == (code, True), result.output
    assert thesis.read_text() == "years"
    assert [one.name for one in tmp_path.iterdir()] == ["thesis"]
