from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fer_convert.cli import main as convert
from fer_edge.errors import FerError
from fer_train import architectures, precision
from fer_train.architectures import Plan
from fer_train.cli import main
from fer_train.keras_setup import keras
from fer_train.run_folder import RunFolder

X86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: with bf16\nflags\t\t: fpu vme avx512f{} avx512_vnni\n"
ARM = "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd{} asimddp\nCPU part\t: 0xd0b\n"
SMALL = ("--arch", "cnn-1", "--input-size", "16", "--epochs", "1")


def policy() -> str:
    name: str = keras.mixed_precision.global_policy().name
    return name


@pytest.mark.parametrize("content", [X86.format(" avx512_bf16"), X86.format(" amx_bf16"), ARM.format(" bf16")])
def test_a_processor_with_bfloat16_takes_mixed_precision(content: str, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(content)
    with precision.policy(mixed=True, cpuinfo=cpuinfo):
        assert policy() == "mixed_bfloat16"
        model = architectures.build("cnn-1", Plan(16, 1, 7))
    assert policy() == "float32"
    assert {layer.variable_dtype for layer in model.layers} == {"float32"}
    products = {layer.compute_dtype for layer in model.layers if isinstance(layer, keras.layers.Conv2D)}
    assert products == {"bfloat16"}
    # Probabilities are in float32, or the loss would be one of three digits.
    assert [layer.compute_dtype for layer in model.layers[-2:]] == ["float32", "float32"]


# The model's name, or a longer word, is no flag.
@pytest.mark.parametrize("content", [X86.format(""), ARM.format(""), ARM.format(" sbf16x"), "", None])
def test_another_processor_refuses_it(content: str | None, tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    if content is not None:
        cpuinfo.write_text(content)
    if precision._gpu():
        pytest.skip("a GPU with bfloat16 is here")
    with pytest.raises(FerError, match="no bfloat16.*: leave out --mixed-precision"):  # noqa: RUF043
        precision.policy(mixed=True, cpuinfo=cpuinfo).__enter__()
    with precision.policy(mixed=False, cpuinfo=cpuinfo):
        assert policy() == "float32"


def test_the_policy_ends_with_a_failure(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(ARM.format(" bf16"))
    with pytest.raises(ValueError, match="no model"), precision.policy(mixed=True, cpuinfo=tmp_path / "cpuinfo"):
        raise ValueError("no model")
    assert policy() == "float32"


def test_fit_tells_that_the_processor_lacks_it(
    mini_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, the_error: Callable[[Result], str]
) -> None:
    monkeypatch.setattr(precision, "_gpu", lambda: False)
    monkeypatch.setattr(precision, "_processor", lambda _cpuinfo: False)
    arguments = ["fit", "--data", str(mini_csv), *SMALL, "--mixed-precision", "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, the_error(result)) == (
        1,
        "this processor has no bfloat16, mixed precision would be slower: leave out --mixed-precision",
    )
    assert not list(tmp_path.iterdir())


def test_a_mixed_run_is_kept_and_converted_in_float32(mini_csv: Path, tmp_path: Path) -> None:
    if not (precision._gpu() or precision._processor(Path("/proc/cpuinfo"))):
        pytest.skip("needs a processor or GPU with bfloat16")
    run = tmp_path / "runs" / "mixed"
    arguments = ["fit", "--data", str(mini_csv), *SMALL, "--mixed-precision", "--out", str(run)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert RunFolder(run).info.settings.mixed_precision
    model = RunFolder(run).model()
    assert {layer.dtype_policy.name for layer in model.layers if hasattr(layer, "dtype_policy")} == {"float32"}
    result = CliRunner().invoke(convert, [str(run), "--fp32", "--out", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "mixed-fp32.tflite").is_file()
