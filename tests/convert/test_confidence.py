"""Whether files stay as honest as the calibrated float model that they are made of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fer_convert.cli import main as convert
from fer_train import calibrating
from fer_train.cli import main as train
from fer_train.run_folder import RunFolder

RECIPES = ("int8", "qat-int8")


@pytest.fixture(scope="module")
def reports(
    plain_run: Path, mini_csv: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], dict[str, Any]]:
    """Make a network far too sure; convert it as it is, and calibrated."""
    folder = tmp_path_factory.mktemp("confidence")
    sure, honest = folder / "sure", folder / "honest"
    shutil.copytree(plain_run, sure)
    model = RunFolder(sure).model()
    calibrating.fold(model, 0.1)
    model.save(sure / "model.keras")
    content = json.loads((sure / "run.json").read_text())
    (sure / "run.json").write_text(json.dumps({**content, "confidence": None}))
    data = ("--data", str(mini_csv))
    result = CliRunner().invoke(train, ["calibrate", str(sure), *data, "--out", str(honest)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = {}
    tuning = ("--qat-epochs", "1", "--augment", "none", "--max-drop", "100")
    for run in (sure, honest):
        arguments = [str(run), "--int8", "--qat", *tuning, *data, "--out", str(folder)]
        result = CliRunner().invoke(convert, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert "calibration error %" in result.stdout
        for recipe in RECIPES:
            found[run.name, recipe] = json.loads((folder / f"{run.name}-{recipe}.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES)
def test_what_a_calibrated_model_becomes_is_calibrated(
    recipe: str, reports: dict[tuple[str, str], dict[str, Any]]
) -> None:
    sure, honest = reports["sure", recipe], reports["honest", recipe]
    assert sure["calibration_error"] > 0.15
    # 84 faces in 15 bins have an error of some per cent by chance alone.
    assert honest["calibration_error"] < 0.7 * sure["calibration_error"]
    for report in (sure, honest):
        assert report["calibration_error"] == pytest.approx(report["float_calibration_error"], abs=0.06)
