"""The models that ship with the package, each `.tflite` with its model card beside it."""

from __future__ import annotations

from pathlib import Path

DEFAULT = "mobilenetv2-int8"


def shipped_model(name: str = DEFAULT) -> Path:
    """Give the path of a shipped model; it exists in every installation."""
    return Path(__file__).with_name(f"{name}.tflite")


def shipped_models() -> tuple[Path, ...]:
    """Give the paths of all shipped models, sorted by name."""
    return tuple(sorted(Path(__file__).parent.glob("*.tflite")))
