"""`--prune`: the zeros asked for are in the file, alone and with quantization-aware training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from click.testing import CliRunner, Result

from fer_convert import flatbuffer, pruning
from fer_convert.cli import main
from fer_convert.recipes import Sparsity
from fer_train.keras_setup import keras

FAST = ("--prune-epochs", "2", "--qat-epochs", "1", "--augment", "none", "--max-drop", "100")


def convert(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def all_of_them(plain_run: Path, mini_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Convert one run by every recipe, whole and pruned: the folder."""
    out = tmp_path_factory.mktemp("pruned")
    result = convert(plain_run, "--all", "--qat", "--prune", "0.8", "--data", mini_csv, *FAST, "--out", out)
    assert result.exit_code == 0, result.output
    return out


def weights(path: Path) -> dict[tuple[int, ...], Any]:
    """Read the weights as the interpreter unpacks them, by shape."""
    interpreter = Interpreter(
        model_path=str(path),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    interpreter.invoke()
    found = {}
    for detail in interpreter.get_tensor_details():
        # One row a channel of the output; a batch of activations has a first side of 1.
        if len(detail["shape"]) in (2, 4) and detail["shape"][0] > 1:
            found[tuple(detail["shape"].tolist())] = interpreter.get_tensor(detail["index"])
    return found


@pytest.mark.slow
def test_every_recipe_is_there_whole_and_pruned(all_of_them: Path) -> None:
    recipes = ["fp32", "fp16", "dynamic", "int8", "int16x8", "qat-int8"]
    names = [f"plain-{start}{recipe}" for start in ("", "prune80-") for recipe in recipes]
    assert sorted(path.stem for path in all_of_them.glob("*.tflite")) == sorted(names)
    reports = {name: json.loads((all_of_them / f"{name}.json").read_text()) for name in names}
    for name, report in reports.items():
        assert report["name"] == name
        assert (report["pruning"] is not None) == ("prune80" in name)
        assert (report["qat"] is not None) == ("qat" in name)
        assert report["arena_bytes"] > 0
        assert set(report["versions"]) == set(report["operators"])
    assert reports["plain-prune80-fp32"]["pruning"] == {
        "share": 0.8,
        "pattern": None,
        "even": False,
        "epochs": 2,
        "learning_rate": 5e-4,
        "augment": "none",
    }


@pytest.mark.parametrize("recipe", ["fp32", "fp16", "int8", "qat-int8"])
@pytest.mark.slow
def test_the_zeros_are_in_the_file(recipe: str, all_of_them: Path) -> None:
    pruned = [w for shape, w in sorted(weights(all_of_them / f"plain-prune80-{recipe}.tflite").items())]
    # cnn-1: three convolutions and two dense layers, of which the first and the last stay whole.
    assert len(pruned) == 5
    sparse = [weight for weight in pruned if np.mean(weight == 0) > 0.4]
    assert len(sparse) == 3
    assert sum(np.sum(weight == 0) for weight in sparse) / sum(w.size for w in sparse) == pytest.approx(0.8, abs=0.003)
    # A kernel keeps weights in proportion to the sum of its sides; the file turns sides about.
    kept = [np.sum(weight != 0) / sum(weight.shape) for weight in sparse]
    assert max(kept) < 1.03 * min(kept)
    report = json.loads((all_of_them / f"plain-prune80-{recipe}.json").read_text())
    zeros, numbers = sum(int(np.sum(weight == 0)) for weight in pruned), sum(weight.size for weight in pruned)
    assert report["sparsity"] == pytest.approx(zeros / numbers, abs=1e-6)


class Kernel:
    """A layer, as far as its share of zeros goes."""

    def __init__(self, name: str, *shape: int) -> None:
        self.name = name
        self.kernel = np.zeros(shape)


def test_small_kernels_keep_more_and_the_total_is_as_asked() -> None:
    layers = [Kernel("tiny", 1, 1, 16, 24), Kernel("small", 1, 1, 96, 96), Kernel("large", 1, 1, 320, 1280)]
    shares = pruning._shares(layers, Sparsity(0.8))
    # The tiny one stays whole.
    assert list(shares) == ["small", "large"]
    assert shares["small"] < 0.8 < shares["large"]
    zeros = sum(shares.get(one.name, 0) * one.kernel.size for one in layers)
    assert zeros == pytest.approx(0.8 * sum(one.kernel.size for one in layers))
    assert pruning._shares(layers, Sparsity(0.8, even=True)) == {"tiny": 0.8, "small": 0.8, "large": 0.8}
    assert set(pruning._shares(layers, Sparsity(0.5, (2, 4))).values()) == {0.5}


@pytest.mark.slow
def test_zeros_buy_bytes(all_of_them: Path) -> None:
    def size(name: str, what: str) -> int:
        count: int = json.loads((all_of_them / f"plain-{name}.json").read_text())[what]
        return count

    for recipe in ("fp32", "fp16"):
        assert size(f"prune80-{recipe}", "bytes") < 0.45 * size(recipe, "bytes")
    for recipe in ("fp32", "int8", "qat-int8"):
        assert size(f"prune80-{recipe}", "gzip_bytes") < 0.55 * size(recipe, "gzip_bytes")
    # LiteRT does not load integers that are stored without their zeros: these stay in the file.
    assert size("prune80-int8", "bytes") == pytest.approx(size("int8", "bytes"), rel=0.02)


def test_two_of_four(plain_run: Path, mini_csv: Path, tmp_path: Path) -> None:
    more = ("--fp32", "--data", mini_csv, *FAST, "--out", tmp_path)
    result = convert(plain_run, "--prune", "2:4", *more)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "plain-prune2of4-fp32.json",
        "plain-prune2of4-fp32.tflite",
    ]
    whole = 0
    for weight in weights(tmp_path / "plain-prune2of4-fp32.tflite").values():
        if weight.shape[-1] % 4 == 0 and np.mean(weight == 0) > 0.3:
            zeros = (weight.reshape(-1, 4) == 0).sum(axis=1)
            assert zeros.min() >= 2
        else:
            whole += 1
    assert whole == 2
    assert json.loads((tmp_path / "plain-prune2of4-fp32.json").read_text())["pruning"]["pattern"] == [2, 4]


@pytest.mark.parametrize(("text", "name"), [("0.8", "prune80"), ("0.855", "prune85.5"), ("2:4", "prune2of4")])
def test_names(text: str, name: str) -> None:
    assert Sparsity.parse(text).name == name


@pytest.mark.parametrize("text", ["0", "0.96", "1", "-0.5", "80", "nan", "most", "1:4"])
def test_what_is_no_sparsity_is_told(
    text: str, plain_run: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    result = convert(plain_run, "--prune", text, "--out", tmp_path)
    assert result.exit_code == 2
    reason = f"{text!r} is no sparsity: give a share of weights above 0 and up to 0.95, or 2:4."
    assert reason in the_error(result)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--prune", "0.5"), "--prune trains: give it the run's data with --data"),
        (("--qat", "--fp32"), "--qat is for integers: leave out --fp32, or take all with --all"),
        (("--int8", "--teacher", "runs/x"), "--teacher is for --qat and --prune: the other recipes do not learn"),
    ],
)
def test_options_that_do_not_go_together(
    options: tuple[str, ...], reason: str, plain_run: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    result = convert(plain_run, *options, "--out", tmp_path)
    assert (result.exit_code, the_error(result)) == (2, reason)
    assert not list(tmp_path.iterdir())


def test_a_teacher_that_is_no_run_is_told_before_any_work(
    plain_run: Path, mini_csv: Path, tmp_path: Path, the_error: Callable[[Result], str]
) -> None:
    teacher, out = tmp_path / "absent", tmp_path / "models"
    result = convert(plain_run, "--int8", "--qat", "--data", mini_csv, "--teacher", teacher, "--out", out)
    assert result.exit_code == 2
    assert the_error(result).startswith(f"{teacher} is not a run folder")
    assert not out.exists()


def test_layers_between_the_first_and_the_last_are_pruned() -> None:
    source = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(6, 3)(source)
    x = keras.layers.DepthwiseConv2D(3)(x)
    x = keras.layers.Conv2D(8, 1, name="six")(x)
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 1, name="eight")(x))
    model = keras.Model(source, keras.layers.Dense(2)(x))
    names = {text: [layer.name for layer in pruning._prunable(model, Sparsity.parse(text))] for text in ("0.5", "2:4")}
    # Six channels do not come in groups of four.
    assert names == {"0.5": ["six", "eight"], "2:4": ["eight"]}


def test_the_least_memory_for_activations() -> None:
    import tensorflow as tf

    source = keras.Input((4, 4, 1), batch_size=1)
    x = keras.layers.Conv2D(8, 1)(source)
    model = keras.Model(source, keras.layers.Conv2D(2, 1)(x))
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    # The middle, 4 x 4 x 8 floats, beside the larger of its neighbours, 4 x 4 x 2.
    assert flatbuffer.tensors(content).arena_bytes == 4 * 16 * (8 + 2)
