"""What is in a model file: its description and its layers, as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from tabulate import tabulate

from fer_convert import flatbuffer, releases
from fer_edge.errors import ModelError
from fer_edge.metadata import ModelMetadata, read_model

_IDENTIFIER = b"TFL3"


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """A model file, opened.

    Attributes:
        file: Path of the file.
        bytes: Its size.
        ends: Type of the input and output.
        integer: Whether every tensor holds integers.
        minimum_runtime: Lowest TFLite release that runs it; None where neither its converter nor its operators tell.
        zeros: Share of the weights that are zero, 0..1.
        layers: In the order in which they run.
        metadata: Its description; None where there is none that we understand.
        why_not: Why there is none.
    """

    file: str
    bytes: int
    ends: str
    integer: bool
    minimum_runtime: str | None
    zeros: float
    layers: list[flatbuffer.Layer]
    metadata: ModelMetadata | None
    why_not: str | None


def inspect(path: Path, content: bytes) -> Inspection:
    """Read a model file, ours or another's.

    Args:
        path: The file.
        content: Its bytes.

    Raises:
        ModelError: It is no TFLite model, or is damaged.
    """
    if content[4:8] != _IDENTIFIER:
        raise ModelError(f"{path} is not a TFLite model")
    try:
        tensors, layers = flatbuffer.tensors(content), flatbuffer.layers(content)
    except Exception as error:  # the generated reader trusts its input, and fails in every way where it is damaged
        raise ModelError(f"{path} is damaged, or has more than one graph: {error}") from error
    metadata, why_not = _metadata(path)
    return Inspection(
        file=str(path),
        bytes=len(content),
        ends=tensors.ends,
        integer=tensors.integer,
        minimum_runtime=releases.minimum(content),
        zeros=tensors.sparsity,
        layers=layers,
        metadata=metadata,
        why_not=why_not,
    )


def as_text(found: Inspection) -> str:
    """Write what a terminal shows."""
    facts: list[tuple[str, Any]] = [
        ("file", found.file),
        ("bytes", f"{found.bytes:,}"),
        ("input and output", found.ends),
        ("integer throughout", "yes" if found.integer else "no"),
        ("minimum runtime", found.minimum_runtime or "not told"),
        ("weights that are zero", f"{100 * found.zeros:.1f} %"),
    ]
    if (described := found.metadata) is not None:
        spec, origin = described.input, described.origin
        facts += [
            ("name", described.name),
            ("recipe", described.recipe),
            ("labels", ", ".join(described.labels)),
            ("face", f"{spec.width} x {spec.height} {spec.color}, pixel * {spec.scale:.6g} + {spec.offset:g}"),
            ("accuracy", described.accuracy or "not measured"),
            ("origin", f"{origin.run}: {origin.architecture}, {origin.data}, {origin.created}"),
        ]
    else:
        facts.append(("metadata", found.why_not))
    rows = [
        [
            number,
            layer.operator,
            layer.version,
            _sizes(layer.output),
            layer.type,
            "" if layer.scale is None else f"{layer.scale:.4g}",
            "" if layer.weight is None else _sizes(layer.weight),
            layer.weight_type or "",
            layer.weight_scales or "",
            "" if layer.weight is None else f"{100 * layer.zeros:.1f}",
            "" if layer.weight is None else f"{layer.weight_bytes:,}",
        ]
        for number, layer in enumerate(found.layers)
    ]
    headers = ["", "operator", "version", "output", "type", "scale", "weight", "type", "scales", "zero %", "bytes"]
    return f"{tabulate(facts, tablefmt='plain')}\n\n{tabulate(rows, headers=headers, disable_numparse=True)}"


def _metadata(path: Path) -> tuple[ModelMetadata | None, str | None]:
    try:
        return read_model(path)[1], None
    except ModelError as error:
        return None, str(error)


def _sizes(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "scalar"
