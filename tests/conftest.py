"""What the tests of all packages share.

FER_TEST_DATA: folder of the shared data; without it `../shared/data` beside the repository. A test whose file is
not there skips and names it.
FER_TEST_MODEL: a model of ours to test the runtime with; without it the shipped one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result

from fer_edge.labels import EXPRESSIONS
from once import Said, once

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Give the path of a file of the shared data: `shared_data("photos/obama.jpg")`."""
    folder = Path(os.environ.get("FER_TEST_DATA") or REPOSITORY.parent / "shared" / "data")

    def file(name: str) -> Path:
        path = folder / name
        if not path.exists():
            pytest.skip(f"needs {name} of the shared data; FER_TEST_DATA names its folder")
        return path

    return file


@pytest.fixture(scope="module")
def playwright() -> Iterator[Any]:
    """Give what drives browsers."""
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright, of the dev extra")
    # Of a module: as long as it is there, nobody else can have an event loop.
    with api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def start_chromium(playwright: Any) -> Iterator[Callable[..., Any]]:
    """Give a function from flags to a browser: the system's Chromium."""
    path = os.environ.get("FER_TEST_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.skip("needs Chromium: scripts/system-packages --browser; FER_TEST_CHROMIUM names another one")
    started = []

    def start(*flags: str) -> Any:
        # Root has no sandbox.
        sandbox = os.geteuid() != 0
        started.append(playwright.chromium.launch(executable_path=path, chromium_sandbox=sandbox, args=list(flags)))
        return started[-1]

    yield start
    for browser in started:
        browser.close()


@pytest.fixture(scope="module")
def chromium(start_chromium: Callable[..., Any]) -> Any:
    """Give a browser."""
    return start_chromium()


@pytest.fixture(scope="session")
def model_path() -> Path:
    """Give the model to test with."""
    from fer_edge import shipped_model

    path = Path(os.environ.get("FER_TEST_MODEL") or shipped_model())
    assert path.is_file(), f"{path} is missing"
    return path


@pytest.fixture(scope="session")
def shipped_model_path(model_path: Path) -> Path:
    """Give the model whose answers are promised: the shipped one."""
    from fer_edge import shipped_model

    if model_path.resolve() != shipped_model().resolve():
        pytest.skip("FER_TEST_MODEL names a model whose answers are not promised")
    return model_path


# What follows is for the workstation's packages; it is imported at first use, so that tests/edge_runtime needs neither
# TensorFlow nor fer_train.


@pytest.fixture(scope="session")
def mini_faces(shared_data: Callable[[str], Path]) -> dict[str, tuple[Any, Any]]:
    """Give real faces and their labels by split: 40 a class to train, 12 a class of PublicTest."""
    with np.load(shared_data("fer2013_mini.npz"), allow_pickle=False) as data:
        images, labels, splits = data["images"], data["labels"], data["split"]
    chosen = {}
    for split, number in (("train", 40), ("public", 12)):
        members = [np.flatnonzero((splits == split) & (labels == label))[:number] for label in range(7)]
        # Classes in turn, as in no file of ours, so that nothing leans on sorted labels.
        order = np.stack(members, axis=1).ravel()
        chosen[split] = (images[order], labels[order].astype(np.int64))
    return chosen


@pytest.fixture(scope="session")
def mini_csv(mini_faces: dict[str, tuple[Any, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give those faces as Kaggle's CSV."""

    def make(folder: Path) -> None:
        lines = ["emotion,pixels,Usage"]
        for split, usage in (("train", "Training"), ("public", "PublicTest")):
            for face, label in zip(*mini_faces[split], strict=True):
                lines.append(f"{label},{' '.join(map(str, face.ravel().tolist()))},{usage}")
        (folder / "fer2013.csv").write_text("\n".join(lines) + "\n")

    return once(tmp_path_factory, "csv", make)[0] / "fer2013.csv"


@pytest.fixture(scope="session")
def mini_folders(mini_faces: dict[str, tuple[Any, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a quarter of those faces as folders of PNG files, in the order of the CSV within each class."""
    path = tmp_path_factory.mktemp("folders") / "faces"
    for split, name, number in (("train", "train", 70), ("public", "test", 21)):
        for index, (face, label) in enumerate(zip(*mini_faces[split], strict=True)):
            if index < number:
                folder = path / name / EXPRESSIONS[label]
                folder.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(folder / f"{index:03}.png"), face)
    return path


@pytest.fixture(scope="session")
def few(mini_faces: dict[str, tuple[Any, Any]]) -> Any:
    """Give the first 70 and 21 of those faces as a `Dataset`."""
    from fer_train.datasets import Dataset, Split

    sizes = {"train": 70, "public": 21}
    splits = {name: Split(tuple(mini_faces[name][0][:n]), mini_faces[name][1][:n]) for name, n in sizes.items()}
    return Dataset("few", EXPRESSIONS, splits)


@pytest.fixture(scope="session")
def small_settings() -> Callable[..., Any]:
    """Give a function from changes to `FitSettings`: of the fastest training there is, but for the changes."""
    from fer_train.settings import FitSettings

    chosen: dict[str, Any] = {
        "data": "",
        "arch": "cnn-1",
        "input_size": 16,
        "channels": 1,
        "alpha": 1.0,
        "weights": "none",
        "head": (),
        "dropout": 0.0,
        "augment": "none",
        "epochs": 1,
        "batch_size": 16,
        "learning_rate": 1e-3,
        "schedule": "constant",
        "label_smoothing": 0.0,
        "seed": 1,
    }
    return lambda **changes: FitSettings(**{**chosen, **changes})


@pytest.fixture(scope="session")
def small_input() -> Any:
    """Give the `InputSpec` of a model trained with those settings."""
    from fer_edge.metadata import InputSpec

    return InputSpec(height=16, width=16, channels=1, color="gray", scale=1 / 255, offset=0.0, face_size=None)


@pytest.fixture(scope="session")
def imagenet_weights(shared_data: Callable[[str], Path]) -> Path:
    """Give ImageNet weights of MobileNetV2 at alpha 0.35."""
    return shared_data("weights/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5")


@pytest.fixture(scope="session")
def tiny_run(mini_csv: Path, imagenet_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train the smallest real model once: runs/tiny, by `fer-train fit`."""
    from fer_train.cli import main

    settings = ["--input-size", "32", "--alpha", "0.35", "--epochs", "2", "--batch-size", "16", "--seed", "5"]
    arguments = ["fit", "--data", str(mini_csv), "--weights", str(imagenet_weights), *settings, "--out"]

    def make(folder: Path) -> None:
        _succeed(main, [*arguments, str(folder / "runs" / "tiny")])

    return once(tmp_path_factory, "work", make)[0] / "runs" / "tiny"


@pytest.fixture(scope="session")
def plain_run(mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train cnn-1, which is fine-tuned and quantized in a tenth of MobileNetV2's time: runs/plain.

    Its settings are those that a fine-tuning must not take over.
    """
    from fer_train.cli import main

    small = ["--arch", "cnn-1", "--input-size", "16", "--epochs", "2", "--dropout", "0.1", "--augment", "strong"]
    other = ["--optimizer", "sgd", "--schedule", "plateau", "--monitor", "loss", "--patience", "1"]
    arguments = ["fit", "--data", str(mini_csv), *small, *other, "--balance", "class-weight", "--out"]

    def make(folder: Path) -> None:
        _succeed(main, [*arguments, str(folder / "runs" / "plain")])

    return once(tmp_path_factory, "plain", make)[0] / "runs" / "plain"


@pytest.fixture(scope="session")
def int8_conversion(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """Convert with `fer-convert` and no recipe, beside an older run: models/tiny-int8.tflite."""
    from fer_convert.cli import main

    def make(folder: Path) -> Said:
        for name in ("older", "tiny"):
            shutil.copytree(tiny_run, folder / "runs" / name)
        os.utime(folder / "runs" / "older" / "run.json", (0, 0))
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            # The model is hardly trained, and 84 faces judge it: a point more or less says nothing.
            return _succeed(main, ["--max-drop", "100"])

    return once(tmp_path_factory, "int8", make)[1]


@pytest.fixture(scope="session")
def fp32_conversion(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """Convert with `fer-convert RUN --fp32`: float/tiny-fp32.tflite."""
    from fer_convert.cli import main

    def make(folder: Path) -> Said:
        return _succeed(main, [str(tiny_run), "--fp32", "--out", str(folder)])

    return once(tmp_path_factory, "float", make)[1]


def _succeed(command: Any, arguments: list[str]) -> Said:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return Said(result.stdout, result.stderr)


@pytest.fixture(scope="session")
def tiny_int8(tiny_run: Path, int8_conversion: Said) -> Path:
    return tiny_run.parents[2] / "int8" / "models" / "tiny-int8.tflite"


@pytest.fixture(scope="session")
def tiny_fp32(tiny_run: Path, fp32_conversion: Said) -> Path:
    return tiny_run.parents[2] / "float" / "tiny-fp32.tflite"


@pytest.fixture(scope="session")
def the_error() -> Callable[[Result], str]:
    """Give what a failed command says, after checking that it says it in one line, without a traceback."""

    def text(result: Result) -> str:
        assert isinstance(result.exception, SystemExit), repr(result.exception)
        assert result.exit_code in (1, 2)
        # What a command tells before it fails is no part of the error: what it read, and its progress.
        told = ("FER2013: ", "faces: ", "converting ", "latency", "accuracy")
        lines = [line for line in result.stderr.splitlines() if not line.startswith(told)]
        assert len(lines) == 1, result.stderr
        assert lines[0].startswith("error: ")
        return lines[0].removeprefix("error: ")

    return text
