"""The standard description in a model: read back by the schema's numbers, and harmless to the model around it."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from click.testing import CliRunner
from flatbuffers.number_types import Float32Flags, Uint8Flags, Uint32Flags
from flatbuffers.table import Table

from fer_convert import converter, flatbuffer, recipes, releases, tflite_metadata
from fer_convert.cli import main
from fer_convert.entries import with_entry
from fer_edge import preprocessing
from fer_edge.classifier import Classifier
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import ModelMetadata, attach, read_model
from fer_train.keras_setup import keras, tf
from fer_train.run_folder import RunFolder

# Slots of Model, Metadata and Buffer in TensorFlow's schema.fbs.
MODEL_BUFFERS, MODEL_METADATA, NAME, BUFFER, DATA = 4, 6, 0, 1, 0


class Reader:
    """A table of a flatbuffer, read by the slots of its schema."""

    def __init__(self, content: bytes, place: int | None = None) -> None:
        root = struct.unpack_from("<I", content)[0] if place is None else place
        self.table = Table(content, root)

    def offset(self, slot: int) -> int:
        offset = int(self.table.Offset(4 + 2 * slot))
        assert offset, f"no field {slot}"
        return offset

    def text(self, slot: int) -> str:
        return bytes(self.table.String(self.table.Pos + self.offset(slot))).decode()

    def number(self, slot: int, flags: Any = Uint8Flags) -> int:
        return int(self.table.Get(flags, self.table.Pos + self.offset(slot)))

    def one(self, slot: int) -> Reader:
        return Reader(self.table.Bytes, self.table.Indirect(self.table.Pos + self.offset(slot)))

    def many(self, slot: int) -> list[Reader]:
        first = self.table.Vector(self.offset(slot))
        count = self.table.VectorLen(self.offset(slot))
        return [Reader(self.table.Bytes, self.table.Indirect(first + 4 * index)) for index in range(count)]

    def floats(self, slot: int) -> list[float]:
        values: list[float] = self.table.GetVectorAsNumpy(Float32Flags, self.offset(slot)).tolist()
        return values

    def data(self, slot: int) -> tuple[int, bytes]:
        """Give the place of a vector of bytes, and the bytes."""
        if not self.table.Offset(4 + 2 * slot):
            return 0, b""
        first, length = self.table.Vector(self.offset(slot)), self.table.VectorLen(self.offset(slot))
        return first, bytes(self.table.Bytes[first : first + length])


def entries(model: bytes) -> dict[str, tuple[int, bytes]]:
    buffers = Reader(model).many(MODEL_BUFFERS)
    found = Reader(model).many(MODEL_METADATA)
    assert len({entry.text(NAME) for entry in found}) == len(found)
    return {entry.text(NAME): buffers[entry.number(BUFFER, Uint32Flags)].data(DATA) for entry in found}


def described(path: Path) -> Reader:
    place, content = entries(path.read_bytes())["TFLITE_METADATA"]
    assert (content[4:8], place % 16) == (b"M001", 0)
    return Reader(content)


def outputs(model: bytes, faces: Any) -> Any:
    """Give what LiteRT's default kernels give, for pixels as they are."""
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for face in faces:
        interpreter.set_tensor(source["index"], np.broadcast_to(face, source["shape"]).astype(source["dtype"]))
        interpreter.invoke()
        rows.append(interpreter.get_tensor(target["index"])[0].copy())
    return np.stack(rows)


@pytest.fixture(scope="module")
def before_and_after(plain_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, Path]]:
    """Convert a run: by recipe, what TensorFlow's converter gave, and the file that came of it."""
    out, given = tmp_path_factory.mktemp("models"), []
    convert = converter.convert

    def listen(*arguments: Any, **named: Any) -> bytes:
        given.append(convert(*arguments, **named))
        return given[-1]

    chosen = ["fp32", "fp16", "int8"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(converter, "convert", listen)
        flags = [f"--{recipe}" for recipe in chosen]
        arguments = [str(plain_run), *flags, "--io", "uint8", "--max-drop", "100", "--out", str(out)]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return {name: (model, out / f"plain-{name}.tflite") for name, model in zip(chosen, given, strict=True)}


def test_the_description_is_that_of_the_standard(tiny_fp32: Path) -> None:
    model = described(tiny_fp32)
    assert model.text(0) == "tiny-fp32"
    assert ", ".join(EXPRESSIONS) in model.text(1)
    assert model.text(5).startswith("For research use")
    assert model.text(7) == "1.0.0"
    (graph,) = model.many(3)
    (face,), (probability,) = graph.many(2), graph.many(3)
    assert (face.text(0), probability.text(0)) == ("face", "probability")
    assert "grey" in face.text(1)
    assert "resized to 32 x 32" in face.text(1)
    content = face.one(3)
    assert content.number(0) == 2  # ImageProperties
    assert content.one(1).number(0) == 1  # RGB
    (unit,) = face.many(4)
    assert unit.number(0) == 1  # NormalizationOptions
    assert unit.one(1).floats(0) == pytest.approx([127.5])
    assert unit.one(1).floats(1) == pytest.approx([127.5])
    assert (face.one(5).floats(0), face.one(5).floats(1)) == (pytest.approx([1.0]), pytest.approx([-1.0]))
    (labels,) = probability.many(6)
    assert (labels.text(0), labels.number(2)) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS
    with zipfile.ZipFile(tiny_fp32) as archive:
        assert archive.read(labels.text(0)).decode().split() == list(EXPRESSIONS)
    assert (probability.one(5).floats(0), probability.one(5).floats(1)) == ([1.0], [0.0])


@pytest.mark.parametrize(("recipe", "stats"), [("fp16", (0.0, 1.0)), ("int8", (0.0, 255.0))])
def test_a_grey_model_is_told_as_one(
    recipe: str, stats: tuple[float, float], before_and_after: dict[str, tuple[bytes, Path]]
) -> None:
    (face,) = described(before_and_after[recipe][1]).many(3)[0].many(2)
    assert face.one(3).one(1).number(0) == 2  # GRAYSCALE
    normalization = face.many(4)[0].one(1)
    # Quantized models have the normalization of the float model.
    assert normalization.table.VectorLen(normalization.offset(0)) == 1
    assert (normalization.floats(0), normalization.floats(1)) == (pytest.approx([0]), pytest.approx([255]))
    assert (face.one(5).floats(1)[0], face.one(5).floats(0)[0]) == pytest.approx(stats)


def test_the_face_is_told_as_the_device_cuts_it(tiny_fp32: Path) -> None:
    metadata = ModelMetadata.of(tiny_fp32)
    spec = msgspec.structs.replace(metadata.input, face_size=48, margin=0.1)
    other = msgspec.structs.replace(metadata, input=spec, origin=msgspec.structs.replace(metadata.origin, data="mine"))
    model = Reader(tflite_metadata.describe(other, "float32"))
    assert not model.table.Offset(4 + 2 * 5)  # no licence is known
    (face,) = model.many(3)[0].many(2)
    assert "with 10% of the detector's box added to each side, brought to 48 x 48 pixels, then" in face.text(1)


def test_int8_tensors_hold_int8(tiny_int8: Path) -> None:
    (graph,) = described(tiny_int8).many(3)
    for tensor in (*graph.many(2), *graph.many(3)):
        assert (tensor.one(5).floats(1), tensor.one(5).floats(0)) == ([-128.0], [127.0])


@pytest.mark.parametrize("recipe", ["fp32", "fp16", "int8"])
def test_the_model_around_it_is_untouched(
    recipe: str, before_and_after: dict[str, tuple[bytes, Path]], mini_faces: dict[str, Any]
) -> None:
    before, path = before_and_after[recipe]
    after, metadata = read_model(path)
    assert before in after
    # Kernels rely on the alignment that the converter gave the weights.
    new, old = ([buffer.data(DATA) for buffer in Reader(model).many(MODEL_BUFFERS)] for model in (after, before))
    assert [(place % 16, data) for place, data in new[:-1]] == [(place % 16, data) for place, data in old]
    assert max(len(data) for _, data in old) > 1_000
    assert flatbuffer.layers(after) == flatbuffer.layers(before)
    assert releases.minimum(after) == metadata.minimum_runtime == releases.minimum(before)
    assert entries(after).keys() - entries(before).keys() == {"TFLITE_METADATA"}
    faces = np.stack([preprocessing.fit_face(face, metadata.input) for face in mini_faces["public"][0]])[..., None]
    found = outputs(after, faces)
    assert (found == outputs(before, faces)).all()
    assert np.ptp(found, axis=0).max() > 0


def test_a_sparse_model_stays_sparse() -> None:
    weights = np.zeros((64, 64), np.float32)
    # Blocks of 1 x 4 are what TensorFlow's converter stores sparsely.
    weights[:4, ::16] = 1
    model = keras.Sequential([keras.layers.Input((64,), batch_size=1), keras.layers.Dense(64, use_bias=False)])
    model.set_weights([weights])
    making = tf.lite.TFLiteConverter.from_keras_model(model)
    making.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
    before = making.convert()
    after = with_entry(before, "name", b"content")
    tensors = Reader(after).many(2)[0].many(0)
    assert [bool(tensor.table.Offset(4 + 2 * 6)) for tensor in tensors].count(True) == 1
    faces = np.random.default_rng(1).normal(size=(3, 1, 64))
    assert (outputs(after, faces) == outputs(before, faces)).all()
    assert np.abs(outputs(after, faces)).max() > 0


def test_equal_inputs_give_equal_bytes(before_and_after: dict[str, tuple[bytes, Path]]) -> None:
    before, path = before_and_after["int8"]
    content, metadata = read_model(path)
    assert attach(tflite_metadata.add(before, metadata), metadata) == content


def test_an_entry_is_replaced_by_its_name(before_and_after: dict[str, tuple[bytes, Path]]) -> None:
    before, _ = before_and_after["fp32"]
    once = with_entry(with_entry(before, "a", b"1" * 40), "b", b"2")
    found = entries(with_entry(once, "a", b"3"))
    assert (found["a"][1], found["b"][1]) == (b"3", b"2")
    assert found.keys() == entries(before).keys() | {"a", "b"}
    assert len(Reader(with_entry(once, "a", b"3")).many(MODEL_BUFFERS)) == len(Reader(once).many(MODEL_BUFFERS))


def test_a_uint8_input_takes_pixels_as_they_are(
    plain_run: Path, before_and_after: dict[str, tuple[bytes, Path]], tmp_path: Path
) -> None:
    # Not even where no training face has a white pixel.
    run, spec = RunFolder(plain_run), ModelMetadata.of(before_and_after["int8"][1]).input
    dim = np.stack([preprocessing.fit_face(face, spec) for face in run.calibration().faces]) // 2
    (int8,) = (recipe for recipe in recipes.RECIPES if recipe.name == "int8")
    model = converter.convert(run.model(), int8, dim, spec, ends="uint8", log=tmp_path / "log")
    stored = Classifier(model, ModelMetadata.of(before_and_after["int8"][1])).interpreter.input
    assert np.abs(stored.quantize(preprocessing.pixel_values(spec)) - np.arange(256.0)).max() <= 1
