from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fer_edge.errors import FerError, ModelError
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import Accuracy, ModelMetadata, attach, read_model

# Enough of a flatbuffer for everything but an interpreter.
FLATBUFFER = b"\x1c\0\0\0TFL3" + bytes(100)
LABELS = b"angry\ndisgust\nfear\nhappy\nsad\nsurprise\nneutral\n"


def test_what_is_written_is_read(tmp_path: Path, metadata: ModelMetadata) -> None:
    measured = msgspec.structs.replace(
        metadata, accuracy=Accuracy(split="public", correct=2, total=3, low=0.2, high=0.9)
    )
    path = tmp_path / "m.tflite"
    path.write_bytes(attach(FLATBUFFER, measured))
    assert read_model(path) == (path.read_bytes(), measured)
    assert ModelMetadata.of(path) == measured
    assert path.read_bytes().startswith(FLATBUFFER)


def test_a_file_of_the_first_format_has_no_self_test(tmp_path: Path, metadata: ModelMetadata) -> None:
    fields = msgspec.to_builtins(metadata) | {"format_version": 1}
    del fields["self_test"]
    content = json.dumps(fields).encode()
    checksum = hashlib.sha256(FLATBUFFER).hexdigest().encode()
    path = tmp_path / "m.tflite"
    path.write_bytes(archive(("metadata.json", content), ("labels.txt", LABELS), ("model.sha256", checksum)))
    assert read_model(path)[1] == msgspec.structs.replace(metadata, format_version=1)


def test_equal_inputs_give_equal_bytes(metadata: ModelMetadata) -> None:
    assert attach(FLATBUFFER, metadata) == attach(FLATBUFFER, msgspec.structs.replace(metadata))


def test_anyone_can_read_the_labels(tmp_path: Path, metadata: ModelMetadata) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(attach(FLATBUFFER, metadata))
    with zipfile.ZipFile(path) as members:
        assert members.namelist() == ["metadata.json", "labels.txt", "model.sha256"]
        assert members.read("labels.txt") == LABELS


def test_the_model_under_test_has_the_seven_expressions(model_path: Path) -> None:
    with zipfile.ZipFile(model_path) as members:
        assert members.read("labels.txt") == LABELS
    assert ModelMetadata.of(model_path).labels == EXPRESSIONS


def test_accuracy_reads_like_a_sentence() -> None:
    accuracy = Accuracy(split="public", correct=2369, total=3589, low=0.6444, high=0.6754)
    assert str(accuracy) == "66.0 % (95 %: 64.4 to 67.5) of 3589 on public"


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, FerError, "cannot read model {path}: No such file or directory"),
        (b"", FerError, "model {path} is empty"),
        (b"hello", ModelError, "{path} is not a TFLite model (no TFL3 mark at byte 4)"),
        (b"PK\3\4TFL4", ModelError, "{path} is not a TFLite model (no TFL3 mark at byte 4)"),
        (
            FLATBUFFER,
            ModelError,
            "{path} carries no metadata.json: it was not written by fer-convert, or its end is cut off; "
            "make a model that has it with 'fer-convert RUN --int8', or copy the file again",
        ),
    ],
    ids=["missing", "empty", "text", "almost", "bare"],
)
def test_files_that_are_no_models_of_ours(
    tmp_path: Path, content: bytes | None, error: type[FerError], message: str
) -> None:
    path = tmp_path / "m.tflite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FerError) as caught:
        read_model(path)
    assert (type(caught.value), str(caught.value)) == (error, message.format(path=path))


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(FerError) as caught:
        read_model(tmp_path)
    assert str(caught.value) == f"cannot read model {tmp_path}: Is a directory"


def test_a_foreign_model_says_what_is_missing_and_how_to_make_one(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("weights/coral_tf2_mobilenet_v2_1.0_224_ptq.tflite")
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert str(caught.value) == (
        f"{path} carries no metadata.json: it was not written by fer-convert; "
        "make a model that has it with 'fer-convert RUN --int8'"
    )


@pytest.mark.parametrize("kept", [9, 1000, 0.1, 0.5, 0.99, -1000, -100, -23, -1])
def test_a_truncated_copy_of_a_real_model(tmp_path: Path, model_path: Path, kept: float) -> None:
    content = model_path.read_bytes()
    path = tmp_path / "cut.tflite"
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(ModelError, match=r"its end is cut off.*copy the file again"):
        read_model(path)


def archive(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO(FLATBUFFER)
    with zipfile.ZipFile(stream, "a", compression) as written:
        for name, content in members:
            written.writestr(name, content)
    return stream.getvalue()


def changed(metadata: ModelMetadata, **fields: Any) -> bytes:
    return json.dumps(msgspec.to_builtins(metadata) | fields).encode()


def test_a_newer_format_asks_for_an_upgrade(tmp_path: Path, metadata: ModelMetadata) -> None:
    path = tmp_path / "m.tflite"
    # The newer format may have fields that this one does not know.
    path.write_bytes(archive(("metadata.json", changed(metadata, format_version=3, smile=1)), ("labels.txt", LABELS)))
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert str(caught.value) == f"{path} has metadata format 3, this fer-edge reads up to 2: upgrade fer-edge"


TEST = {
    "cases": [{"seed": 1, "expected": {"happy": 0.75, "sad": 0.25}}],
    "portable_machines": ["x86_64"],
    "portable_tolerance": 0.1,
    "tolerance": 0.1,
}
GRAY = {"height": 48, "width": 48, "channels": 1, "color": "gray", "scale": 0.1, "offset": 0.0}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"smile": 1}, "unknown field `smile`"),
        ({"format_version": 0}, "Expected `int` >= 1 - at `$.format_version`"),
        ({"format_version": "1"}, "Expected `int`, got `str` - at `$.format_version`"),
        ({"labels": ["happy"]}, "of length >= 2 - at `$.labels`"),
        ({"labels": ["happy", "happy"]}, "a label stands twice"),
        ({"labels": ["happy", "sad\n"]}, "a label has white space around it or control characters in it"),
        ({"input": GRAY | {"channels": 3}}, "3 channels do not go with the colour 'gray' - at `$.input`"),
        ({"input": GRAY | {"color": "rgb"}}, "1 channels do not go with the colour 'rgb' - at `$.input`"),
        ({"input": GRAY | {"channels": 2}}, "Invalid enum value 2 - at `$.input.channels`"),
        ({"input": GRAY | {"height": 7}}, "Expected `int` >= 8 - at `$.input.height`"),
        ({"input": GRAY | {"scale": 0}}, "Expected `float` > 0.0 - at `$.input.scale`"),
        ({"input": GRAY | {"margin": -0.1}}, "Expected `float` >= 0.0 - at `$.input.margin`"),
        ({"minimum_runtime": "UNKNOWN"}, "matching regex"),
        ({"minimum_runtime": "2.14.0-dev"}, "matching regex"),
        ({"self_test": TEST | {"cases": []}}, "of length >= 1 - at `$.self_test.cases`"),
        ({"self_test": TEST | {"tolerance": 1.5}}, "Expected `float` <= 1.0 - at `$.self_test.tolerance`"),
        ({"self_test": TEST}, "the self-test names other labels than the model"),
    ],
)
def test_descriptions_that_cannot_be_meant(
    tmp_path: Path, metadata: ModelMetadata, fields: dict[str, Any], message: str
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(archive(("metadata.json", changed(metadata, **fields)), ("labels.txt", LABELS)))
    with pytest.raises(ModelError) as caught:
        read_model(path)
    told = str(caught.value)
    assert told.startswith(f"{path}: metadata.json is damaged: ")
    assert told.endswith("; convert the run again")
    assert message in told


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b'{"format_version": 1}', b"[" * 100_000]
)
def test_damaged_json(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(archive(("metadata.json", content), ("labels.txt", LABELS)))
    with pytest.raises(ModelError, match=r"metadata\.json is damaged: .*; convert the run again"):
        read_model(path)


def test_labels_that_contradict(tmp_path: Path, metadata: ModelMetadata) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(archive(("metadata.json", changed(metadata)), ("labels.txt", LABELS[::-1])))
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert str(caught.value) == (f"{path}: labels.txt and metadata.json name different labels; convert the run again")


def test_labels_that_are_missing(tmp_path: Path, metadata: ModelMetadata) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(archive(("metadata.json", changed(metadata))))
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert str(caught.value) == (
        f"{path} carries no labels.txt: it was not written by fer-convert; "
        "make a model that has it with 'fer-convert RUN --int8'"
    )


def test_a_member_that_unpacks_to_more_than_any_of_ours(tmp_path: Path, metadata: ModelMetadata) -> None:
    path = tmp_path / "m.tflite"
    bomb = changed(metadata) + b" " * (1 << 20)
    path.write_bytes(archive(("metadata.json", bomb), ("labels.txt", LABELS), compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(ModelError) as caught:
        read_model(path)
    told = str(caught.value)
    assert f"metadata.json is {len(bomb)} bytes, more than any of ours" in told
    # The file is named, as in every other message.
    assert told.startswith(str(path))


@pytest.mark.parametrize("seed", range(8))
def test_damage_in_the_archive_is_told_in_one_line(tmp_path: Path, metadata: ModelMetadata, seed: int) -> None:
    chance = random.Random(seed)
    whole = attach(FLATBUFFER, metadata)
    path = tmp_path / "m.tflite"
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(chance.choice((1, 1, 2, 8))):
            damaged[chance.randrange(len(FLATBUFFER), len(whole))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            read_model(path)
        except FerError as error:
            assert str(path) in str(error)  # noqa: PT017 - a change that harms nothing raises nothing


@pytest.mark.parametrize("position", [9, 60, len(FLATBUFFER) - 1])
def test_a_byte_that_changed_on_the_way_is_noticed(tmp_path: Path, metadata: ModelMetadata, position: int) -> None:
    content = bytearray(attach(FLATBUFFER, metadata))
    content[position] ^= 1
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        read_model(path)
    assert str(caught.value) == f"{path} is damaged: its content does not match its model.sha256; copy the file again"
