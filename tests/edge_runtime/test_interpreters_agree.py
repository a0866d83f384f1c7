from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fer_edge import evaluation
from fer_edge.classifier import Classifier

# Of an int8 softmax.
STEP = 1 / 256


@pytest.fixture(scope="module")
def faces(shared_data: Callable[[str], Path]) -> npt.NDArray[np.uint8]:
    with np.load(shared_data("fer2013_mini.npz")) as data:
        images, labels = data["images"], data["labels"]
    chosen = np.concatenate([np.flatnonzero(labels == label)[:29] for label in range(7)])
    picked: npt.NDArray[np.uint8] = images[chosen]
    return picked


@pytest.fixture(scope="module")
def other_python() -> str:
    pytest.importorskip("ai_edge_litert", reason="needs LiteRT, to compare tflite_runtime with")
    path = os.environ.get("FER_TEST_TFLITE_PYTHON")
    if not path:
        pytest.skip("FER_TEST_TFLITE_PYTHON names no Python that has tflite_runtime")
    return path


@pytest.fixture(scope="module")
def theirs(
    tmp_path_factory: pytest.TempPathFactory,
    repository: Path,
    other_python: str,
    model_path: Path,
    faces: npt.NDArray[np.uint8],
) -> dict[str, npt.NDArray[np.float32]]:
    """Give the answers of tflite_runtime by its kernels."""
    folder = tmp_path_factory.mktemp("theirs")
    np.save(folder / "faces.npy", faces)
    script = Path(__file__).with_name("predict_with_runtime.py")
    for kernels in ("portable", "fast"):
        subprocess.run(
            [
                other_python,
                script,
                model_path,
                folder / "faces.npy",
                "tflite-runtime",
                kernels,
                folder / f"{kernels}.npy",
            ],
            env=os.environ | {"PYTHONPATH": str(repository / "edge_runtime")},
            timeout=300,
            check=True,
        )
    return {kernels: np.load(folder / f"{kernels}.npy") for kernels in ("portable", "fast")}


@pytest.mark.parametrize("kernels", ["portable", "fast"])
def test_the_portable_kernels_of_both_give_the_same_answers(
    model_path: Path, faces: npt.NDArray[np.uint8], theirs: dict[str, npt.NDArray[np.float32]], kernels: str
) -> None:
    ours = evaluation.predict(Classifier.load(model_path, runtime="litert", threads=1, portable=True), faces)
    difference = np.abs(ours - theirs[kernels]).max(axis=1)
    other_labels = int(np.count_nonzero(ours.argmax(axis=1) != theirs[kernels].argmax(axis=1)))
    told = f"{other_labels} of {len(faces)} labels differ, probabilities by up to {difference.max() / STEP:.2f} steps"
    assert other_labels == 0, told
    # A rounding error of float32 is no step.
    assert difference.max() <= STEP + 1e-6, told


def test_the_fast_kernels_differ_little_on_average(
    model_path: Path, faces: npt.NDArray[np.uint8], theirs: dict[str, npt.NDArray[np.float32]]
) -> None:
    # XNNPACK rounds between integer layers in its own way, so single faces may differ by many steps. A wrong scale,
    # order or picture would differ everywhere.
    ours = evaluation.predict(Classifier.load(model_path, runtime="litert", threads=1), faces)
    assert np.abs(ours - theirs["fast"]).mean() < 5 * STEP
    assert np.mean(ours.argmax(axis=1) == theirs["fast"].argmax(axis=1)) > 0.75
