from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner, Result

from fer_edge.errors import UsageError
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import InputSpec
from fer_train import distilling, fitting, pipeline, training
from fer_train.cli import main
from fer_train.datasets import Dataset
from fer_train.keras_setup import keras, tf
from fer_train.run_folder import RunFolder
from fer_train.settings import Distillation, FitSettings

Floats = npt.NDArray[np.float32]
SMALL = ("--arch", "cnn-1", "--input-size", "16", "--epochs", "1", "--seed", "3")


def rows(seed: int) -> Floats:
    """Give [6, 4] probabilities."""
    return np.random.default_rng(seed).dirichlet(np.ones(4), 6).astype(np.float32)


def softened(probabilities: Floats, temperature: float) -> Floats:
    powers = np.maximum(probabilities.astype(np.float64), 1e-7) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def hard_loss(targets: Floats, predicted: Floats, smoothing: float = 0.0) -> Any:
    smooth = targets * (1 - smoothing) + smoothing / targets.shape[-1]
    return -(smooth * np.log(predicted)).sum(axis=-1)


LABELS = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]]


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_softening_is_the_softmax_of_scores_divided(temperature: float) -> None:
    scores = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    found = distilling.soften(tf.nn.softmax(scores), temperature).numpy()
    np.testing.assert_allclose(found, tf.nn.softmax(scores / temperature).numpy(), atol=1e-6)
    np.testing.assert_allclose(found, softened(tf.nn.softmax(scores).numpy(), temperature), atol=1e-6)


def test_a_certain_teacher_can_be_softened() -> None:
    found = distilling.soften(np.eye(4, dtype=np.float32), 4.0).numpy()
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, softened(np.eye(4, dtype=np.float32), 4.0), atol=1e-6)


@pytest.mark.parametrize(("temperature", "share", "smoothing"), [(1, 0.5, 0), (4, 0.7, 0.1), (10, 1, 0), (4, 0, 0.1)])
def test_the_loss_is_that_of_the_paper(temperature: float, share: float, smoothing: float) -> None:
    predicted, opinions = rows(1), softened(rows(2), temperature)
    loss = distilling.Loss(smoothing, Distillation(teachers=("a",), temperature=temperature, share=share))
    found = loss.call(tf.constant(np.concatenate([LABELS, opinions], axis=-1)), tf.constant(predicted)).numpy()
    divergence = (opinions * np.log(opinions / softened(predicted, temperature))).sum(axis=-1)
    expected = (1 - share) * hard_loss(LABELS, predicted, smoothing) + share * temperature**2 * divergence
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_without_a_teacher_the_loss_is_cross_entropy() -> None:
    predicted = rows(1)
    for distillation in (None, Distillation(teachers=("a",), temperature=4, share=0.7)):
        # Of the selection split there are labels alone.
        found = distilling.Loss(0.1, distillation).call(tf.constant(LABELS), tf.constant(predicted)).numpy()
        np.testing.assert_allclose(found, hard_loss(LABELS, predicted, 0.1), rtol=1e-5)


def test_metrics_look_at_the_labels_and_count_faces_alike() -> None:
    predicted, soft = rows(1), np.concatenate([LABELS, rows(2)], axis=-1)
    says, truth = predicted.argmax(axis=1), LABELS.argmax(axis=1)
    weights = tf.constant(np.arange(6, dtype=np.float32))
    f1 = [2 * np.sum((says == n) & (truth == n)) / max(1, np.sum(says == n) + np.sum(truth == n)) for n in range(4)]
    assert 0 < np.mean(says == truth) < 1
    for metric, expected in ((distilling.Accuracy(), np.mean(says == truth)), (distilling.MacroF1(), np.mean(f1))):
        metric.update_state(tf.constant(soft), tf.constant(predicted), sample_weight=weights)
        assert float(metric.result()) == pytest.approx(expected)


def run(command: str, data: Path, out: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, [command, "--data", str(data), "--out", str(out), *map(str, arguments)])


@pytest.fixture(scope="module")
def student(tiny_run: Path, mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a grey student of 16 pixels, of a coloured teacher of 32."""
    out = tmp_path_factory.mktemp("students") / "first"
    result = run("distil", mini_csv, out, "--teacher", tiny_run, *SMALL, "--augment", "strong")
    assert result.exit_code == 0, result.output
    assert "wrote " in result.stdout
    return out


def test_a_student_is_a_run(student: Path, tiny_run: Path) -> None:
    info = RunFolder(student).info
    assert info.settings.distillation == Distillation(teachers=(str(tiny_run),), temperature=4.0, share=0.7)
    assert (info.settings.arch, info.input.width, info.input.channels) == ("cnn-1", 16, 1)
    assert RunFolder(student).model().input_shape == (None, 16, 16, 1)
    assert 0 <= info.epochs[0]["accuracy"] <= 1


@pytest.mark.slow
def test_a_student_of_two_teachers(student: Path, tiny_run: Path, mini_csv: Path, tmp_path: Path) -> None:
    teachers = ("--teacher", tiny_run, "--teacher", student)
    out, more = tmp_path / "run", ("--temperature", 2, "--teacher-share", 0.5, "--balance", "class-weight")
    result = run("distil", mini_csv, out, *teachers, *SMALL, *more)
    assert result.exit_code == 0, result.output
    assert RunFolder(out).info.settings.distillation == Distillation(
        teachers=(str(tiny_run), str(student)), temperature=2.0, share=0.5
    )


def test_teachers_answer_for_the_pixels_given(student: Path, tiny_run: Path, few: Dataset) -> None:
    pixels = np.stack(few.split("public").faces)[..., np.newaxis].astype(np.float32)
    targets = pipeline.targets(few.split("public"), 7)
    named = Distillation(teachers=(str(tiny_run), str(student)), temperature=3.0, share=0.5)
    teach = distilling.teaching(distilling.load(named, few.labels), named.temperature)
    taught = teach(tf.constant(pixels), tf.constant(targets)).numpy()
    np.testing.assert_array_equal(taught[:, :7], targets)
    opinions = []
    for path in (tiny_run, student):
        spec = RunFolder(path).info.input
        fitting_pixels = tf.image.resize(pixels, (spec.height, spec.width)).numpy()
        inputs = np.repeat(fitting_pixels * spec.scale + spec.offset, spec.channels, axis=-1)
        opinions.append(RunFolder(path).model().predict(inputs, verbose=0))
    expected = softened(np.mean(opinions, axis=0), 3.0)
    np.testing.assert_allclose(taught[:, 7:], expected, atol=1e-4)
    assert np.ptp(expected, axis=0).max() > 0.001


def test_teachers_are_shown_clean_faces_once(student: Path, tiny_run: Path, few: Dataset) -> None:
    named = Distillation(teachers=(str(tiny_run), str(student)), temperature=3.0, share=0.5, view="clean")
    split = few.split("public")
    found = distilling.judged(distilling.load(named, few.labels), split, named.temperature, batch_size=16)
    opinions = []
    for path in (tiny_run, student):
        run_folder = RunFolder(path)
        spec, model = run_folder.info.input, run_folder.model()
        faces = pipeline.fitted(split, spec)[..., np.newaxis].astype(np.float32) * spec.scale + spec.offset
        inputs = np.repeat(faces, spec.channels, axis=-1)
        opinions += [model.predict(inputs, verbose=0), model.predict(inputs[:, :, ::-1], verbose=0)]
    np.testing.assert_allclose(found, softened(np.mean(opinions, axis=0), 3.0), atol=1e-4)


def test_what_was_taught_stays_beside_the_face_it_is_of(
    few: Dataset, small_settings: Callable[..., FitSettings], small_input: InputSpec
) -> None:
    split = few.split("train")
    taught = np.arange(7 * len(split), dtype=np.float32).reshape(-1, 7)
    wanted = small_settings(augment="camera")
    seen = []
    batches = pipeline.training(split, small_input, wanted, 7, epochs=range(1), taught=taught)
    for _, targets in batches.as_numpy_iterator():
        for target in targets:
            face = int(target[7]) // 7
            np.testing.assert_array_equal(target[7:], taught[face])
            assert target[:7].argmax() == split.labels[face]
            seen.append(face)
    assert sorted(seen) == list(range(len(split)))


def test_a_student_of_clean_faces_learns_something_else(
    student: Path, few: Dataset, small_settings: Callable[..., FitSettings], small_input: InputSpec, tmp_path: Path
) -> None:
    losses = {}
    for view in ("same", "clean"):
        teachers = Distillation(teachers=(str(student),), temperature=4.0, share=1.0, view=view)
        wanted = small_settings(distillation=teachers, augment="camera")
        keras.utils.set_random_seed(1)
        (tmp_path / view).mkdir()
        setting = fitting.Setting(tmp_path / view)
        losses[view] = fitting.fit_model(training.build(wanted, 7), wanted, few, small_input, setting).epochs[0]["loss"]
    assert losses["same"] != pytest.approx(losses["clean"], rel=1e-5)


def test_a_share_of_nothing_is_a_training_on_labels(
    student: Path, few: Dataset, small_settings: Callable[..., FitSettings], small_input: InputSpec, tmp_path: Path
) -> None:
    def course(share: float | None) -> tuple[dict[str, float], ...]:
        teachers = None if share is None else Distillation(teachers=(str(student),), temperature=4.0, share=share)
        wanted = small_settings(distillation=teachers)
        keras.utils.set_random_seed(1)
        model, folder = training.build(wanted, 7), tmp_path / str(share)
        folder.mkdir()
        return fitting.fit_model(model, wanted, few, small_input, fitting.Setting(folder)).epochs

    labels, nothing, half = course(None)[0], course(0.0)[0], course(0.5)[0]
    assert nothing == pytest.approx(labels, rel=1e-4)
    assert half["loss"] != pytest.approx(labels["loss"], rel=1e-2)


def test_a_teacher_of_other_labels_is_told(
    tiny_run: Path, mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    result = run("distil", mini_csv, tmp_path / "run", "--teacher", tiny_run, *SMALL, "--labels", "happy,sad")
    assert (result.exit_code, the_error(result)) == (
        2,
        f"the teacher {tiny_run} knows {', '.join(EXPRESSIONS)}, the data happy, sad",
    )
    assert not list(tmp_path.iterdir())


def test_a_teacher_that_is_no_run_is_told(mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    result = run("distil", mini_csv, tmp_path / "run", "--teacher", tmp_path / "absent", *SMALL)
    assert result.exit_code == 2
    assert the_error(result).startswith(f"{tmp_path / 'absent'} is not a run folder")
    assert not list(tmp_path.iterdir())


def test_teaching_names_the_teacher_at_fault(student: Path) -> None:
    wrong = Distillation(teachers=(str(student),), temperature=4.0, share=0.5)
    with pytest.raises(UsageError, match=f"the teacher {student} knows"):
        distilling.load(wrong, EXPRESSIONS[::-1])
