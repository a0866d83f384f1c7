"""Recipes of models: read, checked before anything runs, and run from data to model file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fer_convert.cli import main as convert_main
from fer_edge.metadata import read_model
from fer_train import recipes
from fer_train.cli import main
from fer_train.run_folder import RunFolder, unfinished

# The fastest training there is; a student of a teacher of another size.
TWO_STEPS = """\
summary = "a small student of a small teacher"

[[step]]
name = "teacher"
[step.fit]
arch = "cnn-1"
input-size = 24
epochs = 1
seed = 3

[[step]]
name = "small"
[step.distil]
teacher = ["teacher"]
temperature = 2
arch = "cnn-1"
input-size = 16
epochs = 1
drop-duplicates = true
labels = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]

[convert]
int8 = true
calibration = 50
max-drop = 100
"""


def changed(*changes: tuple[str, str]) -> str:
    text = TWO_STEPS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def train(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["recipe", *map(str, arguments)])


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(convert_main, ["recipe", *map(str, arguments)])


def written(folder: Path, text: str = TWO_STEPS) -> Path:
    path = folder / "small.toml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def made(repository: Path, mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder in which scripts/model has trained and converted by that recipe."""
    script = repository / "scripts" / "model"
    if not script.is_file():
        pytest.skip("needs the checkout: scripts/model is not there")
    folder = tmp_path_factory.mktemp("model")
    command = [str(script), sys.executable, str(written(folder)), str(mini_csv)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "step 2 of 2, small: distil" in done.stderr
    return folder


@pytest.mark.slow
def test_one_command_trains_both_and_converts_the_last(made: Path) -> None:
    teacher, student = (RunFolder(made / "runs" / "small" / name).info for name in ("teacher", "small"))
    assert (teacher.settings.distillation, teacher.settings.input_size, teacher.settings.seed) == (None, 24, 3)
    assert student.settings.distillation is not None
    assert student.settings.distillation.teachers == ("runs/small/teacher",)
    assert (student.settings.distillation.temperature, student.settings.input_size) == (2.0, 16)
    assert student.settings.drop_duplicates
    _, metadata = read_model(made / "models" / "small-int8.tflite")
    assert (metadata.name, metadata.input.height) == ("small-int8", 16)
    assert metadata.origin.data_sha256 == student.data.sha256
    report = json.loads((made / "models" / "small-int8.json").read_text())
    assert report["calibration"]["size"] == 50


@pytest.mark.slow
def test_what_is_finished_is_skipped_and_what_was_interrupted_goes_on(
    made: Path, mini_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made / "runs", tmp_path / "runs")
    recipe, runs = written(tmp_path), tmp_path / "runs" / "small"
    monkeypatch.chdir(tmp_path)
    before = (runs / "small" / "model.keras").read_bytes()
    result = train(recipe, "--data", mini_csv)
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        "runs/small/teacher is finished: nothing to resume\nruns/small/small is finished: nothing to resume\n"
    )
    # The student's training is stopped after its first epoch of two; then it goes on with the second.
    shutil.rmtree(runs / "small")
    two = written(tmp_path, changed(("input-size = 16\nepochs = 1", "input-size = 16\nepochs = 2")))
    code = "from fer_train.cli import main; main()"
    command = [sys.executable, "-u", "-c", code, "recipe", str(two), "--data", str(mini_csv)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch   1/2"):
                process.kill()
    assert unfinished(runs / "small").is_dir()
    result = train(two, "--data", mini_csv)
    assert result.exit_code == 0, result.output
    assert "epoch   1/2" not in result.stdout
    assert "epoch   2/2" in result.stdout
    assert len(RunFolder(runs / "small").info.epochs) == 2
    assert before != (runs / "small" / "model.keras").read_bytes()


def test_the_shipped_recipes_are_whole(tmp_path: Path) -> None:
    listed = CliRunner().invoke(main, ["recipe", "--list"])
    assert listed.exit_code == 0
    assert "mobilenetv2" in recipes.shipped()
    for name in recipes.shipped():
        assert f"{name} " in listed.stdout
        assert recipes.load(name).steps[-1].name == name
        result = convert(name, "--check")
        assert (result.exit_code, result.output.endswith("no mistake found\n")) == (0, True), result.output
        # Everything is checked before the first step asks for its data, which is not there.
        result = train(name, "--data", tmp_path / "absent.csv", "--out", tmp_path / "runs")
        assert result.exit_code != 0
        assert "absent.csv" in result.stderr, result.output
    assert not list(tmp_path.iterdir())


def test_the_shipped_model_follows_its_recipe(repository: Path) -> None:
    recipe = recipes.load("mobilenetv2")
    options = recipe.steps[-1].options
    assert (options["arch"], options["input-size"]) == ("mobilenetv2", 64)
    _, metadata = read_model(repository / "edge_runtime" / "fer_edge" / "models" / "mobilenetv2-int8.tflite")
    assert metadata.origin.run == recipe.steps[-1].name
    assert (metadata.input.height, metadata.input.channels) == (options["input-size"], options["channels"])
    assert recipe.convert[metadata.recipe] is True


MISTAKES = [
    ('summary = "', "summary = ", "no TOML in UTF-8: Invalid value (at line 1, column 11)"),
    ("summary", "sumary", "Object contains unknown field `sumary`; a recipe has summary, [[step]] with name and "),
    (
        'name = "small"',
        'name = "../small"',
        "matching regex '^[a-z0-9][a-z0-9-]*\\\\Z' - at `step 2.name`; ",
    ),
    ('name = "small"', 'name = "teacher"', "step 'teacher': an earlier step has that name"),
    ("[step.distil]", "[step.fit]", "step 'small': fit has no option 'teacher'; there are alpha, arch, "),
    ("[step.distil]", "[step.train]", "unknown field `train` - at `step 2`; a recipe has "),
    ('["teacher"]', '["small"]', "step 'small': teacher = 'small' names no step; there are teacher"),
    ('["teacher"]', "[]", "step 'small': [step.distil] needs teacher = [...], names of earlier steps"),
    ("seed = 3", "sed = 3", "step 'teacher': fit has no option 'sed'; did you mean seed?"),
    ("seed = 3", 'seed = "x"', "step 'teacher': Invalid value for '--seed': 'x' is not a valid integer range."),
    ("seed = 3", 'out = "x"', "step 'teacher': out is for the command line, not for a recipe"),
    ("seed = 3", "seed = true", "step 'teacher': seed = true cannot be: it takes a value, not true or false"),
    ("seed = 3", "batch-norm = 1", "step 'teacher': batch-norm = 1 cannot be: give true or false"),
    (
        "seed = 3",
        'weights = "x.h5"',
        "step 'teacher': no weights at {folder}/x.h5: name their folder ",
    ),
    ("seed = 3", "weight-decay = 0.1", "step 'teacher': --weight-decay is for --optimizer adamw or sgd; adam would "),
    ("seed = 3", "freeze-epochs = 1", "step 'teacher': cnn-1 has no backbone to freeze: leave out --freeze-epochs"),
    ("input-size = 16", "input-size = 8", "step 'small': cnn-1 needs an input of at least 16 pixels, not 8"),
    (
        'arch = "cnn-1"\ninput-size = 16',
        'arch = "cnn-7"',
        "step 'small': no architecture is called 'cnn-7'; ",
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), MISTAKES, ids=[f"{new} for {old}" for old, new, _ in MISTAKES])
def test_mistakes_are_told_before_the_first_step(
    old: str, new: str, told: str, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    path = written(tmp_path, changed((old, new)))
    result = train(path, "--data", tmp_path / "absent.csv", "--out", tmp_path / "runs")
    assert result.exit_code == 2
    error = the_error(result)
    assert error.startswith(f"{path}: ")
    assert told.format(folder=tmp_path) in error
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("int8 = true", "int9 = true", "convert has no option 'int9'; did you mean int8?"),
        ("int8 = true", "int8 = 1", "int8 = 1 cannot be: give true or false"),
        ("int8 = true", 'teacher = "large"', "teacher = 'large' names no step; there are teacher, small"),
        (
            "calibration = 50",
            "fp32 = true\nqat = true",
            "--qat is for integers: leave out --fp32, ",
        ),
        ("max-drop = 100", "force = true", "force is for the command line, not for a recipe"),
    ],
)
def test_mistakes_of_the_conversion_are_told_before_any_work(
    old: str, new: str, told: str, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    result = convert(written(tmp_path, changed((old, new))), "--check")
    assert result.exit_code == 2
    assert told in the_error(result)


def test_what_is_no_recipe_is_told(tmp_path: Path, the_error: Callable[[Result], str]) -> None:
    unknown = train("nana", "--data", tmp_path)
    assert (unknown.exit_code, the_error(unknown)) == (
        2,
        f"no recipe is called 'nana'; there are {', '.join(recipes.shipped())}, or give a .toml file",
    )
    absent = train(tmp_path / "absent.toml", "--data", tmp_path)
    assert absent.exit_code == 1
    assert "absent.toml: No such file or directory" in the_error(absent)
    (tmp_path / "deep.toml").write_text(f"a = {'[' * 4000}")
    deep = train(tmp_path / "deep.toml", "--data", tmp_path)
    assert (deep.exit_code, the_error(deep)) == (2, f"{tmp_path / 'deep.toml'}: no recipe: nested too deeply")


IMAGENET = [
    ('arch = "cnn-1"\ninput-size = 24', 'arch = "mobilenetv2"\ninput-size = 32\nalpha = 0.35\nweights = "imagenet"')
]


@pytest.mark.slow
def test_weights_of_a_file_take_the_place_of_a_download(
    tmp_path: Path, mini_csv: Path, imagenet_weights: Path, the_error: Callable[[Result], str]
) -> None:
    recipe = written(tmp_path, changed(*IMAGENET, ("epochs = 1\nseed = 3", "epochs = 1\nchannels = 3")))
    for given in (imagenet_weights, f"teacher={imagenet_weights}"):
        out = tmp_path / str(given).partition("=")[0].strip("/").replace("/", "-")
        result = train(recipe, "--data", mini_csv, "--out", out, "--weights", given)
        assert result.exit_code == 0, result.output
        assert RunFolder(out / "teacher").info.settings.weights == str(imagenet_weights)
        assert RunFolder(out / "small").info.settings.weights == "none"
    for given in (f"small={imagenet_weights}", f"teacher={tmp_path}/absent.h5"):
        result = train(recipe, "--data", mini_csv, "--out", tmp_path / "no", "--weights", given)
        assert result.exit_code == 2
        the_error(result)
    assert not (tmp_path / "no").exists()


@pytest.mark.slow
def test_weights_by_name_lie_in_a_folder(tmp_path: Path, mini_csv: Path, imagenet_weights: Path) -> None:
    named = [(IMAGENET[0][0], IMAGENET[0][1].replace("imagenet", imagenet_weights.name))]
    recipe = written(tmp_path, changed(*named))
    out = ["--data", mini_csv, "--out", tmp_path / "runs", "--weights-dir", imagenet_weights.parent]
    result = train(recipe, *out)
    assert result.exit_code == 0, result.output
    assert RunFolder(tmp_path / "runs" / "teacher").info.settings.weights == str(imagenet_weights)
