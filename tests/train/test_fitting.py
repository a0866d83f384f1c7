from __future__ import annotations

import csv
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_edge.errors import DataError, FerError
from fer_edge.labels import EXPRESSIONS
from fer_train import datasets, training
from fer_train.cli import main
from fer_train.datasets import Dataset
from fer_train.run_folder import RunFolder
from fer_train.settings import FitSettings

FILES = [
    *("README.md", "calibration.npz", "confusion.png", "curves.png", "held_out.npz", "history.csv", "mistakes.png"),
    *("model.keras", "predictions.png", "reliability.png", "report.html", "report.json", "run.json"),
]


def fit(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["fit", *map(str, arguments)])


def as_the_model_wants(faces: Any, channels: int = 3) -> Any:
    return np.repeat(np.stack(faces)[..., np.newaxis] / np.float32(127.5) - 1, channels, axis=-1)


@pytest.fixture(scope="module")
def run(tiny_run: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((tiny_run / "run.json").read_text())
    return content


def test_a_run_folder_is_whole(tiny_run: Path) -> None:
    assert sorted(path.name for path in tiny_run.iterdir()) == FILES


def test_settings_are_those_asked_for(run: dict[str, Any], mini_csv: Path, imagenet_weights: Path) -> None:
    assert run["settings"] == {
        "data": str(mini_csv),
        "arch": "mobilenetv2",
        "input_size": 32,
        "channels": 3,
        "alpha": 0.35,
        "weights": str(imagenet_weights),
        "head": [128, 64],
        "dropout": 0.0,
        "augment": "light",
        "epochs": 2,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "schedule": "cosine",
        "label_smoothing": 0.0,
        "seed": 5,
        "l2": 0.0,
        "batch_norm": False,
        "labels": None,
        "drop_duplicates": False,
        "ferplus": "none",
        "balance": "none",
        "optimizer": "adam",
        "weight_decay": 0.0,
        "decay": 0.1,
        "decay_every": 10,
        "warm_up": 1,
        "monitor": "accuracy",
        "patience": 0,
        "freeze_epochs": 0,
        "fine_tune_from": None,
        "fine_tune_learning_rate": None,
        "mixed_precision": False,
        "distillation": None,
        "calibrate": True,
        "start_from": None,
        "split_seed": 1,
    }


def test_the_data_is_told(run: dict[str, Any], mini_csv: Path) -> None:
    assert run["data"] == {
        "name": "FER2013",
        "sha256": datasets.load(mini_csv).fingerprint(),
        "counts": {"train": dict.fromkeys(EXPRESSIONS, 40), "public": dict.fromkeys(EXPRESSIONS, 12)},
        "skipped": [],
    }
    assert run["labels"] == list(EXPRESSIONS)
    assert run["input"] == {
        "height": 32,
        "width": 32,
        "channels": 3,
        "color": "rgb",
        "scale": 1 / 127.5,
        "offset": -1.0,
        # Faces of 48 pixels are larger than the input.
        "face_size": None,
        "margin": 0.0,
    }


def test_versions_and_time_are_told(run: dict[str, Any]) -> None:
    assert {"tensorflow", "tf-keras", "numpy", "fer-edge"} <= set(run["versions"])
    assert run["versions"] == {name: importlib.metadata.version(name) for name in run["versions"]}
    assert datetime.fromisoformat(run["started"]).utcoffset() is not None
    assert run["seconds"] > 0


def test_metrics_are_those_of_each_epoch(run: dict[str, Any], tiny_run: Path) -> None:
    epochs = run["epochs"]
    assert len(epochs) == 2
    assert all(set(epoch) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"} for epoch in epochs)
    assert epochs[0] != epochs[1]
    with (tiny_run / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{name: float(value) for name, value in row.items()} for row in rows] == [
        {"epoch": number, **epoch} for number, epoch in enumerate(epochs, start=1)
    ]
    best = max(epochs, key=lambda epoch: epoch["val_accuracy"])
    assert run["best_epoch"] == epochs.index(best) + 1
    assert run["accuracy"]["correct"] / run["accuracy"]["total"] == pytest.approx(best["val_accuracy"], abs=1e-6)


@pytest.fixture(scope="module")
def model(tiny_run: Path) -> Any:
    return RunFolder(tiny_run).model()


def test_the_accuracy_is_that_of_the_kept_model(run: dict[str, Any], tiny_run: Path, model: Any) -> None:
    with np.load(tiny_run / "held_out.npz") as held_out:
        faces, labels = held_out["faces"], held_out["labels"]
    probabilities = model.predict(as_the_model_wants(faces), verbose=0)
    predicted = probabilities.argmax(axis=1)
    assert (run["accuracy"]["split"], run["accuracy"]["total"]) == ("public", 84)
    assert run["accuracy"]["correct"] == np.count_nonzero(predicted == labels)
    assert run["accuracy"]["low"] < run["accuracy"]["correct"] / 84 < run["accuracy"]["high"]
    assert run["recalls"] == pytest.approx(
        {label: np.mean(predicted[labels == number] == number) for number, label in enumerate(EXPRESSIONS)}
    )
    assert run["parameters"] == model.count_params()
    of_the_truth = np.maximum(probabilities[np.arange(84), labels], 1e-7)
    assert run["loss"] == pytest.approx(-np.log(of_the_truth).mean(), rel=1e-4)
    # Two epochs already tell it something: it does not give one class to all.
    assert len(np.unique(predicted)) > 1


def test_the_kept_model_is_judged_on_training_faces_too(run: dict[str, Any], tiny_run: Path, model: Any) -> None:
    # As the data is small, the kept sample is all of it.
    split = RunFolder(tiny_run).calibration()
    predicted = model.predict(as_the_model_wants(split.faces), verbose=0).argmax(axis=1)
    assert (run["train_accuracy"]["split"], run["train_accuracy"]["total"]) == ("train", 280)
    assert run["train_accuracy"]["correct"] == np.count_nonzero(predicted == split.labels)
    assert run["multiply_accumulates"] > run["parameters"]


def test_the_kept_faces_are_those_of_the_data(tiny_run: Path, mini_faces: dict[str, tuple[Any, Any]]) -> None:
    kept = RunFolder(tiny_run)
    for split, name in ((kept.calibration(), "train"), (kept.held_out(), "public")):
        faces, labels = mini_faces[name]
        small = np.stack([cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA) for face in faces])
        np.testing.assert_array_equal(np.stack(split.faces), small)
        np.testing.assert_array_equal(split.labels, labels)


def test_the_kept_model_has_no_optimizer(tiny_run: Path) -> None:
    # Adam's state would triple the file.
    parameters = RunFolder(tiny_run).info.parameters
    assert (tiny_run / "model.keras").stat().st_size < 4 * parameters + 1_000_000


@pytest.fixture(scope="module")
def grey_run(
    mini_folders: Path, imagenet_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("grey")
    data = Path(shutil.copytree(mini_folders, folder / "faces"))
    (data / "train" / "fear" / "broken.png").write_text("no image")
    size = ("--input-size", 64, "--channels", 1, "--alpha", 0.35, "--weights", imagenet_weights, "--head", "16")
    course = ("--epochs", 1, "--batch-size", 32, "--learning-rate", 3e-4, "--schedule", "constant")
    more = ("--dropout", 0.2, "--label-smoothing", 0.1, "--augment", "none", "--seed", 9)
    result = fit("--data", data, *size, *course, *more, "--out", folder / "run")
    assert result.exit_code == 0, result.output
    return folder / "run", result


def test_folders_train_a_grey_model(grey_run: tuple[Path, Result]) -> None:
    path, result = grey_run
    assert sorted(file.name for file in path.iterdir()) == FILES
    info = RunFolder(path).info
    assert info.settings.head == (16,)
    assert (info.settings.channels, info.settings.dropout, info.settings.label_smoothing) == (1, 0.2, 0.1)
    assert (info.settings.schedule, info.settings.augment, info.settings.seed) == ("constant", "none", 9)
    assert (info.data.name, info.accuracy.split, info.accuracy.total) == ("faces", "test", 21)
    assert info.data.counts == {"train": dict.fromkeys(EXPRESSIONS, 10), "test": dict.fromkeys(EXPRESSIONS, 3)}
    assert (info.input.channels, info.input.color, info.input.height) == (1, "gray", 64)
    # Enlarged faces are kept, and brought to the model, at the size they were trained at.
    assert info.input.face_size == 48
    assert RunFolder(path).held_out().faces[0].shape == (48, 48)

    model = RunFolder(path).model()
    assert model.input_shape == (None, 64, 64, 1)
    held_out = RunFolder(path).held_out()
    faces = [cv2.resize(face, (64, 64), interpolation=cv2.INTER_LINEAR) for face in held_out.faces]
    predicted = model.predict(as_the_model_wants(faces, channels=1), verbose=0).argmax(axis=1)
    assert np.count_nonzero(predicted == held_out.labels) == info.accuracy.correct
    lines = result.stdout.splitlines()
    assert lines[0].startswith("epoch   1/1  loss ")
    assert lines[1] == f"best epoch 1 of 1: {info.accuracy}"
    assert [line.split()[0] for line in lines[2:9]] == list(EXPRESSIONS)
    assert "overfitting" in lines[9].lower()
    assert lines[10].startswith("Confidence is calibrated: ")
    assert lines[11].startswith(f"wrote {path} (")


def test_a_skipped_image_is_named_and_counted(grey_run: tuple[Path, Result]) -> None:
    path, result = grey_run
    warnings = [line for line in result.stderr.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert "fear/broken.png" in warnings[0]
    assert "skipped 1 file" in warnings[1]
    (skipped,) = RunFolder(path).info.data.skipped
    assert "fear/broken.png" in skipped


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--arch", "resnet"], "no architecture is called 'resnet'; 'fer-train architectures' lists them"),
        (["--input-size", "16"], "mobilenetv2 needs an input of at least 32 pixels, not 16"),
        (["--weights", "absent.h5"], "no weights at absent.h5: give 'imagenet', 'none' or an .h5 file"),
        (["--alpha", "0.6", "--weights", "imagenet"], "alpha 0.6 cannot take the weights imagenet"),
        (["--weight-decay", "0.1"], "--weight-decay is for --optimizer adamw or sgd; adam would leave it out"),
    ],
)
def test_settings_that_cannot_be_meant_are_told(
    arguments: list[str], reason: str, mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    result = fit("--data", mini_csv, "--out", tmp_path / "run", "--input-size", 32, *arguments)
    assert reason in the_error(result)
    assert result.exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--channels", "2"],
        ["--epochs", "0"],
        ["--batch-size", "0"],
        ["--learning-rate", "0"],
        ["--learning-rate", "fast"],
        ["--head", "128,x"],
        ["--head", "-1"],
        ["--augment", "heavy"],
        ["--input-size", "4000"],
        ["--dropout", "nan"],
        ["--alpha", "nan"],
        ["--learning-rate", "nan"],
        ["--label-smoothing", "nan"],
    ],
)
def test_values_that_an_option_does_not_take_are_told(arguments: list[str], mini_csv: Path, tmp_path: Path) -> None:
    small = ("--input-size", 32, "--alpha", 0.35, "--epochs", 1)
    result = fit("--data", mini_csv, "--out", tmp_path / "run", *small, *arguments)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 2
    assert result.stderr.lower().count("error: ") == 1
    assert f"'{arguments[0]}'" in result.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("where", ["below a file", "a file", "a folder with other things"])
def test_an_out_that_cannot_be_written_is_told(
    where: str, mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    (tmp_path / "file").write_text("precious")
    out = {"below a file": tmp_path / "file" / "run", "a file": tmp_path / "file"}.get(where, tmp_path)
    result = fit("--data", mini_csv, "--input-size", 32, "--alpha", 0.35, "--out", out)
    assert str(out) in the_error(result)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "precious"


def test_data_with_nothing_to_select_on_is_told(
    mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    # PrivateTest is for one last look, and never to select on.
    (tmp_path / "fer2013.csv").write_text(mini_csv.read_text().replace("PublicTest", "PrivateTest"))
    result = fit("--data", tmp_path / "fer2013.csv", "--input-size", 32, "--out", tmp_path / "run")
    assert (result.exit_code, the_error(result)) == (
        1,
        "FER2013 has no public or test split, so nothing to judge a model on",
    )
    assert [path.name for path in tmp_path.iterdir()] == ["fer2013.csv"]


def test_a_training_split_alone_is_divided(mini_csv: Path, tmp_path: Path) -> None:
    lines = [line for line in mini_csv.read_text().splitlines() if not line.endswith("PublicTest")]
    (tmp_path / "fer2013.csv").write_text("\n".join(lines))
    small = ("--arch", "cnn-1", "--input-size", 16, "--epochs", 1)
    result = fit("--data", tmp_path / "fer2013.csv", *small, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    accuracy = RunFolder(tmp_path / "run").info.accuracy
    assert accuracy.split == "test"
    assert 40 < accuracy.total < 70


def test_a_training_that_diverges_leaves_nothing(
    few: Dataset, small_settings: Callable[..., FitSettings], tmp_path: Path
) -> None:

    with pytest.raises(FerError, match=r"^the loss is not finite in step 2 of epoch 1: lower --learning-rate$"):
        training.fit(small_settings(learning_rate=float("inf")), few, tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_what_fit_wrote_can_be_read_again(mini_folders: Path, tmp_path: Path) -> None:
    # Faces of 6 pixels are below what a model's metadata can name: refuse them, or write what can be read.
    data = Path(shutil.copytree(mini_folders, tmp_path / "faces"))
    for file in data.rglob("*.png"):
        cv2.imwrite(str(file), cv2.resize(cv2.imread(str(file)), (6, 6)))
    result = fit(
        "--data", data, "--input-size", 32, "--alpha", 0.35, "--head", "", "--epochs", 1, "--out", tmp_path / "x"
    )
    if result.exit_code == 0:
        assert RunFolder(tmp_path / "x").info.data.name == "faces"
    else:
        assert isinstance(result.exception, SystemExit)
        assert not (tmp_path / "x").exists()


def test_a_seed_gives_the_same_training_twice(
    few: Dataset, small_settings: Callable[..., FitSettings], small_input: Any, tmp_path: Path
) -> None:
    from fer_train import fitting, training
    from fer_train.keras_setup import keras

    def losses(seed: int, name: str) -> list[float]:
        wanted = small_settings(seed=seed, epochs=2, augment="light", dropout=0.1)
        keras.utils.set_random_seed(seed)
        (tmp_path / name).mkdir()
        setting = fitting.Setting(tmp_path / name)
        course = fitting.fit_model(training.build(wanted, 7), wanted, few, small_input, setting)
        return [epoch["loss"] for epoch in course.epochs]

    first = losses(1, "a")
    assert losses(1, "b") == first
    assert losses(2, "c") != pytest.approx(first, abs=1e-4)


def without_tensorflow(*arguments: object) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.modules['tensorflow'] = None; from fer_train.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_without_tensorflow_fit_says_what_to_install(mini_csv: Path, tmp_path: Path) -> None:
    done = without_tensorflow("fit", "--data", mini_csv, "--out", tmp_path / "run")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    told, error = done.stderr.splitlines()
    assert told == "FER2013: train 280, public 84 images, 7 classes"
    assert error.startswith("error: ")
    assert "pip install 'fer-edge[workstation]'" in error
    assert not list(tmp_path.iterdir())


def test_help_needs_no_tensorflow() -> None:
    done = without_tensorflow("fit", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--learning-rate" in done.stdout


def test_a_face_that_goes_away_while_training_is_told(mini_folders: Path, tmp_path: Path) -> None:
    data = datasets.load(Path(shutil.copytree(mini_folders, tmp_path / "faces")), memory=0)
    assert data.split("train").on_disk
    gone = next((tmp_path / "faces" / "train" / "happy").iterdir())
    gone.unlink()
    wanted = FitSettings(data="", arch="cnn-1", input_size=16, epochs=1)
    with pytest.raises(DataError, match=f"^cannot read image {re.escape(str(gone))}: No such file or directory$"):
        training.fit(wanted, data, tmp_path / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]
