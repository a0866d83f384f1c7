from __future__ import annotations

import io
import platform
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from fer_edge.errors import ModelError
from fer_edge.interpreter import Interpreter
from fer_edge.metadata import ModelMetadata, attach, read_model
from fer_edge.verifying import TOLERANCES, Verdict, make, verify

change: Any = msgspec.structs.replace
on_x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="int8 is exact on x86-64 alone")


@pytest.fixture(scope="module")
def shipped(shipped_model_path: Path) -> tuple[bytes, ModelMetadata]:
    """Give the shipped model without its description, and the description."""
    content, metadata = read_model(shipped_model_path)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        end = min(member.header_offset for member in archive.infolist())
    return content[:end], metadata


def failed(verdict: Verdict) -> bool:
    assert verdict.tested
    assert verdict.ok == (not verdict.failures)
    return not verdict.ok


@pytest.mark.parametrize("threads", [1, 2])
def test_the_shipped_model_proves_itself(shipped: tuple[bytes, ModelMetadata], threads: int) -> None:
    verdict = verify(*shipped, threads=threads)
    assert (verdict.failures, verdict.tested, verdict.threads) == ((), True, threads)
    assert verdict.portable is not None
    assert verdict.default is not None
    assert verdict.portable < (1e-5 if platform.machine() == "x86_64" else 0.1)
    assert verdict.default < 0.1
    interpreter = Interpreter(shipped[0])
    assert verdict.runtime == f"{interpreter.runtime.name} {interpreter.runtime.version}"


def weights(content: bytearray) -> tuple[int, int]:
    """Give where nothing but weights and biases stand; the structure is behind them."""
    return 10_000, len(content) * 8 // 10


@on_x86_64
@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_page_of_weights_fails_though_the_checksum_is_right(
    shipped: tuple[bytes, ModelMetadata], seed: int, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    content = bytearray(shipped[0])
    start = chance.randrange(*weights(content))
    content[start : start + 4096] = chance.randbytes(4096)
    path = tmp_path / "damaged.tflite"
    path.write_bytes(attach(bytes(content), shipped[1]))
    assert failed(verify(*read_model(path)))


@on_x86_64
def test_some_flipped_bits_of_weights_fail(shipped: tuple[bytes, ModelMetadata]) -> None:
    chance = random.Random(1)
    content = bytearray(shipped[0])
    for position in chance.sample(range(*weights(content)), 200):
        content[position] ^= 0x40
    assert failed(verify(bytes(content), shipped[1]))


# A model that was trained in little light hardly minds a small offset, and other machines' arithmetic may differ more.
@pytest.mark.parametrize("fields", [{"scale": 1 / 255}, {"offset": 0.0}])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_wrong_scale_fails_everywhere(
    shipped: tuple[bytes, ModelMetadata], fields: dict[str, float], machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, metadata = shipped
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert failed(verify(model, change(metadata, input=change(metadata.input, **fields))))


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_labels_in_another_order_fail_everywhere(
    shipped: tuple[bytes, ModelMetadata], machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, metadata = shipped
    monkeypatch.setattr(platform, "machine", lambda: machine)
    *first, sixth, seventh = metadata.labels
    verdict = verify(model, change(metadata, labels=(*first, seventh, sixth)))
    assert failed(verdict)
    assert "name another label" in " ".join(verdict.failures)


def rolled(given: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.roll(given, 1, axis=1)


def half(given: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Let the most probable share with all others, as where a softmax is computed on a wrong scale."""
    return (given // 4).astype(given.dtype)


@pytest.mark.parametrize("wrong", [rolled, half])
@pytest.mark.parametrize("kernels", ["portable", "default"])
def test_an_interpreter_that_computes_something_else_fails(
    shipped: tuple[bytes, ModelMetadata],
    wrong: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]],
    kernels: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, run = Interpreter.__init__, Interpreter.run

    def make_marked(self: Any, *arguments: Any, portable: bool, **named: Any) -> None:
        made(self, *arguments, portable=portable, **named)
        self.broken = portable == (kernels == "portable")

    def run_wrongly(self: Any, stored: Any) -> Any:
        given = run(self, stored)
        return wrong(given) if self.broken else given

    monkeypatch.setattr(Interpreter, "__init__", make_marked)
    monkeypatch.setattr(Interpreter, "run", run_wrongly)
    verdict = verify(*shipped)
    assert failed(verdict)
    assert all(failure.startswith(f"the {kernels} kernels ") for failure in verdict.failures)


def test_an_interpreter_that_gives_nothing_is_told(
    shipped: tuple[bytes, ModelMetadata], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Interpreter, "run", lambda self, _stored: np.full(self.output.shape, -128, np.int8))
    with pytest.raises(ModelError, match=r"sum to 0\.0"):
        verify(*shipped)


def test_other_processors_round_otherwise(
    shipped: tuple[bytes, ModelMetadata], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model, metadata = shipped
    test = metadata.self_test
    assert test is not None

    def off(by: float) -> ModelMetadata:
        case = test.cases[0]
        label = max(case.expected, key=lambda name: case.expected[name])
        moved = change(case, expected=case.expected | {label: case.expected[label] - by})
        return change(metadata, self_test=change(test, cases=(moved, *test.cases[1:])))

    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert verify(model, off(0.05)).ok
    assert failed(verify(model, off(0.3)))
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    for flags, exact in (("fpu sse4_2 avx avx2", True), ("fpu sse4_2", False)):
        monkeypatch.setattr("fer_edge.verifying._CPUINFO", tmp_path / "cpuinfo")
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: avx2\n\n")
        assert failed(verify(model, off(0.05))) == exact
        assert failed(verify(model, off(0.3)))


def test_a_file_without_a_self_test_is_run_and_no_more(shipped: tuple[bytes, ModelMetadata]) -> None:
    model, metadata = shipped
    verdict = verify(model, change(metadata, self_test=None, format_version=1))
    assert (verdict.ok, verdict.tested, verdict.portable, verdict.default) == (True, False, None, None)
    assert verdict.runtime is not None


def test_making_it_again_gives_the_same(shipped: tuple[bytes, ModelMetadata]) -> None:
    pytest.importorskip("ai_edge_litert", reason="the shipped one was made by LiteRT, whose kernels choose the faces")
    model, metadata = shipped
    made = make(model, change(metadata, self_test=None), TOLERANCES["int8"])
    test = metadata.self_test
    assert test is not None
    assert verify(model, change(metadata, self_test=made)).ok
    if platform.machine() == "x86_64":
        assert [case.expected for case in made.cases if case in test.cases]
        assert (made.portable_machines, made.portable_tolerance, made.tolerance) == (
            test.portable_machines,
            test.portable_tolerance,
            test.tolerance,
        )


def test_what_was_chosen_is_clear_and_of_several_labels(shipped: tuple[bytes, ModelMetadata]) -> None:
    test = shipped[1].self_test
    assert test is not None
    assert len(test.cases) == 8
    assert len({max(case.expected, key=lambda name: case.expected[name]) for case in test.cases}) > 1
    for case in test.cases:
        second, first = sorted(case.expected.values())[-2:]
        assert 0.3 <= first - second <= 0.8
