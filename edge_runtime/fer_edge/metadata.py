"""The contract in the model file: what a `.tflite` of ours says of itself.

A TFLite file may carry associated files: a ZIP archive appended to the flatbuffer, which every interpreter ignores
(https://ai.google.dev/edge/litert/models/metadata). Ours holds `metadata.json`, the fields of `ModelMetadata`,
`labels.txt`, one label a line, and `model.sha256`, the hash of the flatbuffer: an interpreter does not notice damaged
weights, and may crash on damaged structure. This module is the only one that reads or writes them.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fer_edge import files
from fer_edge.digest import sha256
from fer_edge.errors import FerError, ModelError
from fer_edge.self_test import SelfTest

# 2 brought the self-test; a file of version 1 has none.
FORMAT_VERSION = 2
METADATA_NAME = "metadata.json"
LABELS_NAME = "labels.txt"
CHECKSUM_NAME = "model.sha256"
_FLATBUFFER_IDENTIFIER = b"TFL3"
_LARGEST_MEMBER = 1 << 20
# The float weights of ResNet101V2, the largest architecture that we train, are 170 MB.
_LARGEST_FILE = 256 << 20
# The list of an archive's members; ours takes 170 bytes.
_LARGEST_LIST = 1 << 16
_END = struct.Struct("<4s4H2LH")
_END_MARK, _END_64_MARK = b"PK\5\6", b"PK\6\7"

Side = Annotated[int, Meta(ge=8, le=1024)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(min_length=1, max_length=255)]
Release = Annotated[str, Meta(pattern=r"^\d{1,4}(\.\d{1,4}){1,3}$")]


class InputSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a face becomes the model's input; `fer_edge.preprocessing` does what this says.

    Attributes:
        height: Rows of the input, pixels.
        width: Columns of the input, pixels.
        channels: 1 or 3. Faces are grey: with 3 the same luma stands in each channel.
        color: "gray" for 1 channel, "rgb" for 3.
        scale: A pixel p of 0..255 becomes `p * scale + offset`.
        offset: See `scale`.
        face_size: Side in pixels of the faces that the model was trained on, where smaller than the input. Each face
            is first brought to it, so that the model sees on the device the sharpness that it saw in training.
        margin: Added to each side of the detector's box, as a fraction of that side.
    """

    height: Side
    width: Side
    channels: Literal[1, 3]
    color: Literal["gray", "rgb"]
    scale: Annotated[float, Meta(gt=0, le=1)]
    offset: Annotated[float, Meta(ge=-255, le=255)]
    face_size: Side | None = None
    margin: Annotated[float, Meta(ge=0, le=1)] = 0.0

    def __post_init__(self) -> None:
        """Hold the number of channels and the colour order together."""
        if self.color != ("gray" if self.channels == 1 else "rgb"):
            raise ValueError(f"{self.channels} channels do not go with the colour {self.color!r}")


class Accuracy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a model was right on a named split.

    Attributes:
        split: Name of the split, such as "public".
        correct: Number of images whose most probable label is the true one.
        total: Number of images.
        low: Lower end of the 95 % Wilson score interval of `correct / total`.
        high: Its upper end.
    """

    split: str
    correct: Annotated[int, Meta(ge=0)]
    total: Annotated[int, Meta(ge=1)]
    low: Fraction
    high: Fraction

    @property
    def value(self) -> float:
        """Fraction of right answers, 0..1."""
        return self.correct / self.total

    def __str__(self) -> str:
        """Give percent with the interval: `66.0 % (64.4 to 67.5) of 3589 on public`."""
        return (
            f"{100 * self.value:.1f} % (95 %: {100 * self.low:.1f} to {100 * self.high:.1f}) "
            f"of {self.total} on {self.split}"
        )


class Origin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a model comes from.

    Attributes:
        run: Name of the training run; of a model that fer-train did not make, "foreign" with its kind and file name.
        architecture: Name of the architecture, such as "mobilenetv2"; of a foreign Keras model the name that it gives
            itself, of any other "unknown".
        data: Name of the training data; of a foreign model "unknown", with what it was calibrated and judged on.
        data_sha256: Fingerprint of the data's pixels, labels and splits.
        created: UTC date and time of the conversion, ISO 8601.
        versions: Packages that made the file, name to version.
    """

    run: Name
    architecture: Name
    data: Name
    data_sha256: str
    created: str
    versions: dict[str, str]


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that the runtime, the benchmark and a reader need to know of a model.

    Attributes:
        format_version: Version of this description; a reader refuses a newer one.
        name: Name of the model with its recipe, as in the file name.
        recipe: How it was converted: "fp32", "int8".
        labels: Expressions in the order of the model's output.
        input: How a face becomes the model's input.
        parameters: Number of weights of the float model.
        minimum_runtime: Lowest TFLite release, by TensorFlow's numbers, that has all operators of this file; an older
            interpreter refuses it.
        accuracy: Of this file, not of its float parent; absent where it was not measured.
        origin: Where the model comes from.
        self_test: How the file proves itself on a device; absent in files of format 1.
    """

    format_version: Annotated[int, Meta(ge=1)] = FORMAT_VERSION
    name: Name
    recipe: Name
    labels: Annotated[tuple[Name, ...], Meta(min_length=2, max_length=100)]
    input: InputSpec
    parameters: Annotated[int, Meta(ge=1)]
    minimum_runtime: Release
    accuracy: Accuracy | None = None
    origin: Origin
    self_test: SelfTest | None = None

    def __post_init__(self) -> None:
        """Refuse labels that stand twice, would break `labels.txt`, or are not those of the self-test."""
        if len(set(self.labels)) != len(self.labels):
            raise ValueError("a label stands twice")
        if any(label != label.strip() or not label.isprintable() for label in self.labels):
            raise ValueError("a label has white space around it or control characters in it")
        if self.self_test and any(case.expected.keys() != set(self.labels) for case in self.self_test.cases):
            raise ValueError("the self-test names other labels than the model")

    @classmethod
    def of(cls, path: Path) -> ModelMetadata:
        """Read the description of a model file. Raises what `read_model` raises."""
        return read_model(path)[1]


def attach(flatbuffer: bytes, metadata: ModelMetadata) -> bytes:
    """Append a description to a TFLite flatbuffer; equal inputs give equal bytes.

    Raises:
        FerError: The description breaks its own bounds, so that nobody could read the file.
    """
    described = msgspec.json.format(msgspec.json.encode(metadata), indent=2)
    try:
        msgspec.json.decode(described, type=ModelMetadata)
    except msgspec.ValidationError as error:
        raise FerError(f"the model cannot be described: {error}") from error
    archive = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_STORED) as members:
        for name, content in (
            (METADATA_NAME, described),
            (LABELS_NAME, "".join(f"{label}\n" for label in metadata.labels).encode()),
            (CHECKSUM_NAME, sha256(flatbuffer).hexdigest().encode()),
        ):
            members.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), content)
    return archive.getvalue()


def read_model(path: Path) -> tuple[bytes, ModelMetadata]:
    """Read a model file and its description.

    Returns:
        The file's bytes, which an interpreter takes as they are, and the description.

    Raises:
        FerError: The file cannot be read.
        ModelError: It is not a TFLite file, is truncated, or carries no description that we understand.
    """
    content = files.read_bytes(path, "model", largest=_LARGEST_FILE)
    if content[4:8] != _FLATBUFFER_IDENTIFIER:
        raise ModelError(f"{path} is not a TFLite model (no {_FLATBUFFER_IDENTIFIER.decode()} mark at byte 4)")
    try:
        _check_list(path, content)
        with zipfile.ZipFile(io.BytesIO(content)) as members:
            metadata = _decode(path, _member(path, members, METADATA_NAME))
            labels = _member(path, members, LABELS_NAME)
            if labels.decode(errors="replace").splitlines() != list(metadata.labels):
                raise ModelError(
                    f"{path}: {LABELS_NAME} and {METADATA_NAME} name different labels; convert the run again"
                )
            checksum = _member(path, members, CHECKSUM_NAME)
            # No copy: to touch as much fresh memory takes longer than to read the file.
            flatbuffer = memoryview(content)[: min(member.header_offset for member in members.infolist())]
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError, OverflowError) as error:
        raise ModelError(
            f"{path} carries no {METADATA_NAME}: it was not written by fer-convert, or its end is cut off; "
            "make a model that has it with 'fer-convert RUN --int8', or copy the file again"
        ) from error
    except KeyError as error:
        raise ModelError(
            f"{path} carries no {error.args[0]}: it was not written by fer-convert; "
            "make a model that has it with 'fer-convert RUN --int8'"
        ) from error
    if sha256(flatbuffer).hexdigest().encode() != checksum:
        raise ModelError(f"{path} is damaged: its content does not match its {CHECKSUM_NAME}; copy the file again")
    return content, metadata


def _check_list(path: Path, content: bytes) -> None:
    """Refuse a list of millions of members before `zipfile` reads all of it."""
    tail = content[-_END.size - 0xFFFF :]
    # Without a comment, as ours, it is the last that there is; else `zipfile` looks for the last mark.
    ends = len(tail) - _END.size if tail[-_END.size :].startswith(_END_MARK) and tail[-2:] == b"\0\0" else -1
    ends = ends if ends >= 0 else tail.rfind(_END_MARK)
    if ends < 0 or len(tail) - ends < _END.size:
        raise zipfile.BadZipFile("no end of an archive")
    size = _END.unpack_from(tail, ends)[5]
    # For archives of more than 4 GiB there is a second end in front of the first.
    if size > _LARGEST_LIST or _END_64_MARK in tail[max(0, ends - 20) : ends]:
        raise ModelError(f"{path}: the list of what it carries is longer than any of ours")


def _member(path: Path, members: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = members.getinfo(name)
    except KeyError:
        raise KeyError(name) from None
    if sum(one.filename == name for one in members.infolist()) > 1:
        raise ModelError(f"{path} carries {name} more than once; convert the run again")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ModelError(f"{path}: {name} is compressed by another method than any of ours")
    if info.file_size > _LARGEST_MEMBER:
        raise ModelError(f"{path}: {name} is {info.file_size} bytes, more than any of ours")
    with members.open(info) as member:
        return member.read(_LARGEST_MEMBER)


def _decode(path: Path, described: bytes) -> ModelMetadata:
    try:
        version = msgspec.json.decode(described, type=_Versioned).format_version
        if version > FORMAT_VERSION:
            raise ModelError(
                f"{path} has metadata format {version}, this fer-edge reads up to {FORMAT_VERSION}: upgrade fer-edge"
            )
        return msgspec.json.decode(described, type=ModelMetadata)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: {METADATA_NAME} is damaged: {error}; convert the run again") from error


class _Versioned(msgspec.Struct):
    format_version: int
