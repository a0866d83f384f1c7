from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from fer_edge import preprocessing
from fer_edge.box import Box
from fer_edge.classifier import Classifier
from fer_edge.detectors import open_detector
from fer_edge.errors import ModelError
from fer_edge.images import read_gray
from fer_edge.metadata import InputSpec, ModelMetadata, attach, read_model


def faces(count: int, spec: InputSpec) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (count, spec.height, spec.width), dtype=np.uint8)


def test_probabilities_are_a_distribution(classifier: Classifier) -> None:
    for face in faces(5, classifier.metadata.input):
        probabilities = classifier.probabilities(face)
        assert probabilities.shape == (len(classifier.metadata.labels),)
        assert probabilities.dtype == np.float32
        assert probabilities.min() >= 0
        assert probabilities.sum() == pytest.approx(1, abs=1e-6)


def test_a_face_in_a_picture_is_named_in_the_order_of_the_metadata(classifier: Classifier) -> None:
    picture = np.random.default_rng(4).integers(0, 256, (200, 300), dtype=np.uint8)
    box = Box(40, 30, 120, 140)
    answer = classifier.classify(picture, box)
    face = preprocessing.face_pixels(picture, box, classifier.metadata.input)
    expected = dict(zip(classifier.metadata.labels, classifier.probabilities(face).tolist(), strict=True))
    assert list(answer.items()) == list(expected.items())
    assert sum(answer.values()) == pytest.approx(1, abs=1e-6)


def test_the_look_up_is_the_float_input_quantized(classifier: Classifier) -> None:
    spec = classifier.metadata.input
    for face in faces(3, spec):
        stored = classifier.prepare(face)
        expected = classifier.interpreter.input.quantize(preprocessing.to_input(face[np.newaxis], spec))
        assert stored.dtype == classifier.interpreter.input.dtype
        np.testing.assert_array_equal(stored, expected)


@pytest.mark.parametrize(
    "change", [{"height": 40}, {"width": 40}, {"height": 200, "width": 200}, {"channels": 3, "color": "rgb"}]
)
def test_an_input_that_contradicts_the_metadata(model_path: Path, change: dict[str, Any]) -> None:
    model, metadata = read_model(model_path)
    if metadata.input.channels == change.get("channels"):
        change = {"channels": 1, "color": "gray"}
    wrong = msgspec.structs.replace(metadata, input=msgspec.structs.replace(metadata.input, **change))
    with pytest.raises(ModelError) as caught:
        Classifier(model, wrong)
    right, told = metadata.input, wrong.input
    labels = len(metadata.labels)
    assert str(caught.value) == (
        f"{metadata.name}: the model takes {(1, right.height, right.width, right.channels)} and gives {(1, labels)}, "
        f"its metadata says {(1, told.height, told.width, told.channels)} and {(1, labels)}; convert the run again"
    )


def test_labels_that_contradict_the_output(tmp_path: Path, model_path: Path) -> None:
    model, metadata = read_model(model_path)
    with zipfile.ZipFile(model_path) as members:
        flatbuffer = model[: min(info.header_offset for info in members.infolist())]
    fewer = msgspec.structs.replace(metadata, labels=metadata.labels[1:], self_test=None)
    path = tmp_path / "fewer.tflite"
    path.write_bytes(attach(flatbuffer, fewer))
    with pytest.raises(ModelError, match=r"and gives \(1, 7\), its metadata says .* and \(1, 6\)") as caught:
        Classifier.load(path)
    assert str(caught.value).startswith(f"{path}: ")


def stand_in(monkeypatch: pytest.MonkeyPatch, output: list[float], *, dtype: Any = np.float32) -> None:
    """Put an interpreter in LiteRT's place that answers each face with the same output."""

    def detail(index: int, shape: tuple[int, ...]) -> dict[str, Any]:
        quantization = (0.0, 0) if dtype is np.float32 else (1 / 256, -128)
        return {"index": index, "shape": np.array(shape), "dtype": dtype, "quantization": quantization}

    class Fake:
        def __init__(self, **_: Any) -> None: ...

        def allocate_tensors(self) -> None: ...

        def get_input_details(self) -> list[dict[str, Any]]:
            return [detail(0, (1, 48, 48, 1))]

        def get_output_details(self) -> list[dict[str, Any]]:
            return [detail(1, (1, 7))]

        def set_tensor(self, _index: int, stored: npt.NDArray[Any]) -> None:
            assert (stored.shape, stored.dtype) == ((1, 48, 48, 1), dtype)

        def invoke(self) -> None: ...

        def get_tensor(self, _index: int) -> npt.NDArray[Any]:
            return np.array([output], dtype)

    kernels = SimpleNamespace(AUTO="auto", BUILTIN_WITHOUT_DEFAULT_DELEGATES="builtin")
    module = SimpleNamespace(Interpreter=Fake, OpResolverType=kernels)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", module)


def test_a_quantized_sum_beside_one_is_divided_out(monkeypatch: pytest.MonkeyPatch, metadata: ModelMetadata) -> None:
    # 100 + 100 + 50 = 250 steps of 1/256.
    stand_in(monkeypatch, [-28, -28, -78, -128, -128, -128, -128], dtype=np.int8)
    probabilities = Classifier(b"", metadata).probabilities(faces(1, metadata.input)[0])
    np.testing.assert_allclose(probabilities, [0.4, 0.4, 0.2, 0, 0, 0, 0], atol=1e-7)


@pytest.mark.parametrize(("value", "told"), [(0.0, "0.0"), (np.nan, "nan"), (np.inf, "inf")])
def test_damaged_weights_are_told(
    monkeypatch: pytest.MonkeyPatch, metadata: ModelMetadata, value: float, told: str
) -> None:
    stand_in(monkeypatch, [value] * 7)
    with pytest.raises(ModelError) as caught:
        Classifier(b"", metadata).probabilities(faces(1, metadata.input)[0])
    assert str(caught.value) == f"small-int8 gives probabilities that sum to {told}: its weights are damaged"


@pytest.mark.parametrize(
    ("photo", "people", "happy"), [("photos/skimage_astronaut.png", 1, 1), ("photos/pyfeat_multi_face.jpg", 4, 4)]
)
def test_the_shipped_model_sees_who_is_happy(
    shared_data: Callable[[str], Path], shipped_model_path: Path, photo: str, people: int, happy: int
) -> None:
    gray = read_gray(shared_data(photo))
    classifier = Classifier.load(shipped_model_path)
    answers = [classifier.classify(gray, box) for box in open_detector("haar").detect(gray)]
    assert len(answers) >= people
    named = [max(answer, key=answer.__getitem__) for answer in answers]
    assert named.count("happy") >= happy
