from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from fer_edge.classifier import Classifier
from fer_edge.cli import main
from fer_edge.labels import EXPRESSIONS
from fer_edge.metadata import ModelMetadata
from fer_edge.models import DEFAULT, shipped_model, shipped_models


def test_the_default_is_shipped() -> None:
    assert shipped_model() in shipped_models()
    assert shipped_model().stem == DEFAULT


@pytest.mark.parametrize("path", shipped_models(), ids=lambda path: path.stem)
def test_a_shipped_model_is_integer_and_described(path: Path) -> None:
    classifier = Classifier.load(path)
    assert classifier.metadata.name == path.stem
    assert classifier.metadata.labels == EXPRESSIONS
    assert {classifier.interpreter.input.dtype.name, classifier.interpreter.output.dtype.name} == {"int8"}


@pytest.mark.parametrize("path", shipped_models(), ids=lambda path: path.stem)
def test_its_card_says_what_the_file_says(path: Path) -> None:
    card, described = path.with_suffix(".md").read_text(), ModelMetadata.of(path)
    assert described.accuracy is not None
    assert str(described.accuracy) in card
    assert f"{path.stat().st_size:,} bytes" in card
    assert f"{described.parameters:,} parameters" in card
    assert described.origin.data_sha256 in card
    assert f"TFLite {described.minimum_runtime} or newer" in card


def test_the_default_is_as_good_as_promised() -> None:
    measured = ModelMetadata.of(shipped_model()).accuracy
    assert measured is not None
    # The whole PublicTest split, not a sample of it.
    assert (measured.split, measured.total) == ("public", 3589)
    assert measured.value >= 0.62


@pytest.mark.parametrize("path", shipped_models(), ids=lambda path: path.stem)
def test_a_shipped_model_is_found_by_its_name(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["models", "verify", path.stem])
    assert result.exit_code == 0, result.output
    assert str(path) in result.output


def test_another_name_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["run", "--source", "demo", "--model", "nana-int8"])
    assert result.exit_code != 0
    assert "nana-int8" in result.stderr
