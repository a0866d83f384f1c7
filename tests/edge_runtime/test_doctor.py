"""`fer-edge doctor`: the whole of it, with whatever is broken."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from fer_edge.board import NO_VCGENCMD, Answer
from fer_edge.cli import main
from fer_edge.commands import doctor as command
from fer_edge.doctor import Finding, examine, health, worst
from fer_edge.doctor.apart import apart
from fer_edge.doctor.finding import failure, ok, warning
from fer_edge.metadata import attach, read_model
from fer_edge.runtimes import RUNTIMES, find_runtime

CHECKS = [
    "fer-edge",
    "board",
    "system",
    "python",
    "opencv",
    "cascade",
    "interpreter",
    "model",
    "kernels",
    "self-test",
    "camera",
    "permission",
    "temperature",
    "throttling",
    "governor",
    "memory",
    "disk",
    "clock",
]
# As the console script does it, but without the commands that need NumPy and OpenCV to be imported.
DOCTOR = (sys.executable, "-c", "from fer_edge.commands.doctor import doctor; doctor()")


def no_vcgencmd(_command: str) -> Answer:
    return Answer(None, NO_VCGENCMD)


def by_check(findings: list[Finding]) -> dict[str, Finding]:
    return {one.check: one for one in findings}


@pytest.fixture
def stand_in(tmp_path: Path) -> Callable[[str, str], dict[str, str]]:
    """Give a function that makes a module which is found ahead of the installed one, and the environment for it."""

    def make(name: str, code: str) -> dict[str, str]:
        folder = tmp_path / "stand_in"
        package = folder / name
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(code)
        path = os.pathsep.join([str(folder), *filter(None, sys.path)])
        return {**os.environ, "PYTHONPATH": path}

    return make


def run_doctor(environment: dict[str, str], *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = subprocess.run(
        [*DOCTOR, "--json", *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, {one["check"]: one for one in json.loads(done.stdout)["findings"]}


def test_this_machine(fer_edge: Callable[..., subprocess.CompletedProcess[str]], model_path: Path) -> None:
    done = fer_edge("doctor", "--model", model_path)
    *lines, _summary = done.stdout.splitlines() if done.returncode == 0 else [*done.stdout.splitlines(), ""]
    told = [line.split(maxsplit=2) for line in lines]
    # Several cameras or disks have a line each.
    assert list(dict.fromkeys(check for _, check, _ in told)) == CHECKS
    assert {level for level, _, _ in told} <= {"ok", "warning", "failure"}
    assert all(" -> " in text for level, _, text in told if level != "ok")
    found = {check: (level, text) for level, check, text in told}
    runtime, _ = find_runtime()
    assert found["interpreter"][1].startswith(f"{runtime.name} {runtime.version}")
    assert found["model"][1].startswith(f"{model_path}: ")
    assert found["self-test"][0] == "ok"
    assert found["cascade"][0] == "ok"
    assert "XNNPACK runs " in found["kernels"][1]
    assert done.returncode == int(any(level == "failure" for level, _, _ in told))
    assert "\x1b" not in done.stdout


def test_json_tells_the_same(fer_edge: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    told = json.loads(fer_edge("doctor", "--json").stdout)
    findings = msgspec.convert(told["findings"], list[Finding])
    assert list(dict.fromkeys(one.check for one in findings)) == CHECKS
    assert told["level"] == worst(findings)
    assert all((one.advice is None) == (one.level == "ok") for one in findings)


def test_a_machine_without_camera_says_so_in_one_line(tmp_path: Path, model_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    findings = list(examine(model=model_path, root=tmp_path, firmware=no_vcgencmd))
    (camera,) = [one for one in findings if one.check == "camera"]
    assert (camera.level, camera.found) == ("warning", "none found")
    assert "plug in a USB camera" in (camera.advice or "")
    assert "--source demo" in (camera.advice or "")
    assert worst(findings) == "warning"


@pytest.fixture
def broken(shipped_model_path: Path, tmp_path: Path) -> Path:
    """Give the shipped model with a wrong scale in its description."""
    content, metadata = read_model(shipped_model_path)
    flatbuffer = content[: content.index(b"PK\3\4", len(content) - 20_000)]
    path = tmp_path / "broken.tflite"
    wrong = msgspec.structs.replace(metadata.input, scale=metadata.input.scale / 2)
    path.write_bytes(attach(flatbuffer, msgspec.structs.replace(metadata, input=wrong)))
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["doctor", *map(str, arguments)])


def test_a_model_that_computes_something_else(broken: Path, the_error: Callable[[Result], str]) -> None:
    result = invoke("--model", broken)
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("failure")]
    level, check, text = line.split(maxsplit=2)
    assert (level, check) == ("failure", "self-test")
    assert "the portable kernels " in text
    assert text.endswith("-> copy or convert the file again; 'fer-edge models list' shows those that ship, or try "
                         "another --runtime")  # fmt: skip
    # What comes behind it is told nevertheless.
    assert result.stdout.splitlines()[-1].split()[1] == "clock"
    assert the_error(result) == (
        f"1 of {len(result.stdout.splitlines())} lines tell of a failure: do what they say, the first one first"
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "cannot read model {path}: No such file or directory"),
        (b"", "model {path} is empty"),
        (b"no model at all", "{path} is not a TFLite model (no TFL3 mark at byte 4)"),
        (b"\x1c\0\0\0TFL3" + bytes(100), "{path} carries no metadata.json: "),
    ],
)
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes | None, found: str) -> None:
    path = tmp_path / "model.tflite"
    if content is not None:
        path.write_bytes(content)
    result = invoke("--model", path, "--json")
    assert result.exit_code == 1
    told = {one["check"]: one for one in json.loads(result.stdout)["findings"]}
    assert told["model"]["level"] == "failure"
    assert told["model"]["found"].startswith(found.format(path=path))
    assert told["interpreter"]["level"] == "ok"
    assert "clock" in told


def test_a_model_without_self_test(tmp_path: Path, shipped_model_path: Path) -> None:
    content, metadata = read_model(shipped_model_path)
    flatbuffer = content[: content.index(b"PK\3\4", len(content) - 20_000)]
    path = tmp_path / "untested.tflite"
    path.write_bytes(attach(flatbuffer, msgspec.structs.replace(metadata, self_test=None)))
    (found,) = [one for one in examine(model=path, firmware=no_vcgencmd) if one.check == "self-test"]
    assert (found.level, found.found) == ("warning", "the model was loaded and run, but it has no self-test")


def test_an_interpreter_that_is_not_installed(stand_in: Callable[[str, str], dict[str, str]]) -> None:
    environment = stand_in("ai_edge_litert", "raise ImportError('libm.so.6: version GLIBC_2.99 not found')")
    code, told = run_doctor(environment, "--runtime", "litert")
    assert code == 1
    assert told["interpreter"]["level"] == "failure"
    assert "litert: libm.so.6: version GLIBC_2.99 not found" in told["interpreter"]["found"]
    assert "pip install" in told["interpreter"]["advice"]
    assert "model" not in told
    assert told["opencv"]["level"] == "ok"
    assert "clock" in told


@pytest.mark.parametrize(
    ("name", "code", "found", "advice"),
    [
        (
            "cv2",
            "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')",
            "cannot be imported: libGL.so.1: cannot open shared object file: No such file or directory",
            "install the system's library of that name with apt",
        ),
        (
            "cv2",
            f"import os; os.kill(os.getpid(), {int(signal.SIGILL)})",
            "crashed with SIGILL in {folder}/cv2/__init__.py",
            "it was built for another processor",
        ),
        (
            "numpy",
            f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})",
            "crashed with SIGSEGV in {folder}/numpy/__init__.py",
            "install fer-edge again",
        ),
        (
            "numpy",
            "raise RuntimeError('CPU dispatcher tracer already initialized')",
            "it ended with 1: RuntimeError: CPU dispatcher tracer already initialized",
            "install fer-edge again",
        ),
    ],
)
def test_libraries_that_crash_hide_nothing(
    stand_in: Callable[[str, str], dict[str, str]], name: str, code: str, found: str, advice: str
) -> None:
    environment = stand_in(name, code)
    found = found.format(folder=environment["PYTHONPATH"].partition(os.pathsep)[0])
    returncode, told = run_doctor(environment)
    assert returncode == 1
    for check in ("opencv", "interpreter"):
        assert told[check]["level"] == "failure"
        # Debian's OpenCV imports NumPy from C++, and says in words of its own that it could not.
        if "numpy.core.multiarray failed to import" not in told[check]["found"]:
            assert told[check]["found"] == found
        assert advice in told[check]["advice"]
    assert {"board", "camera", "temperature", "memory", "disk", "clock"} <= told.keys()


def test_what_was_told_before_a_crash_stays(
    stand_in: Callable[[str, str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # An interpreter that imports, and crashes when it is made; it is taken for one of unknown version.
    environment = stand_in("tflite_runtime", "")
    (Path(environment["PYTHONPATH"].partition(os.pathsep)[0]) / "tflite_runtime/interpreter.py").write_text(
        "import os, signal\n"
        "class OpResolverType:\n    AUTO = BUILTIN_WITHOUT_DEFAULT_DELEGATES = 0\n"
        "def Interpreter(**_):\n    os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    monkeypatch.setenv("PYTHONPATH", environment["PYTHONPATH"])
    findings = apart("interpreter", "model", model=None, runtime="tflite-runtime")
    assert [(one.check, one.level) for one in findings] == [
        ("interpreter", "ok"),
        ("model", "ok"),
        ("interpreter", "failure"),
    ]
    assert re.fullmatch("crashed with SIGSEGV in .*/tflite_runtime/interpreter.py", findings[2].found)


def test_a_library_that_writes_to_stdout_does_not_spoil_the_answer(
    stand_in: Callable[[str, str], dict[str, str]],
) -> None:
    # picamera2 that says what it likes, and has a camera.
    code = (
        "import os\nos.write(1, b'noise')\nprint('more noise')\n"
        "class Picamera2:\n"
        "    def global_camera_info():\n"
        "        return [{'Model': 'imx219', 'Id': '/base/soc/i2c0mux/i2c@1/imx219@10', 'Num': 0},\n"
        "                {'Model': 'C920', 'Id': '/base/scb/pcie@7d500000/pci@0,0/usb@0,0-1.3:1.0-046d:0825'}]\n"
    )
    _, told = run_doctor(stand_in("picamera2", code))
    assert (told["camera"]["level"], told["camera"]["found"]) == ("ok", "imx219: --source picamera2:0")


@pytest.mark.parametrize(
    ("code", "found", "advice"),
    [
        ("import libcamera_that_is_missing", "picamera2 cannot be imported: No module named", "--system-site-packages"),
        ("raise ValueError('numpy.dtype size changed')", "picamera2 does not go with this NumPy", "'numpy<2'"),
        (
            "class Picamera2:\n    def global_camera_info():\n        raise RuntimeError('Failed to create manager')",
            "libcamera does not tell its cameras: Failed to create manager",
            "rpicam-hello --list-cameras",
        ),
    ],
)
def test_picamera2_that_does_not_work(
    stand_in: Callable[[str, str], dict[str, str]], code: str, found: str, advice: str
) -> None:
    returncode, told = run_doctor(stand_in("picamera2", code))
    assert returncode == 1
    assert told["camera"]["level"] == "failure"
    assert told["camera"]["found"].startswith(found)
    assert advice in told["camera"]["advice"]


def test_a_check_apart_that_hangs_is_given_up(
    stand_in: Callable[[str, str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", stand_in("picamera2", "import time; time.sleep(600)")["PYTHONPATH"])
    (found,) = apart("camera", "picamera2", patience_s=1)
    assert (found.level, found.found) == ("failure", "no answer within 1 s")


def test_a_python_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    (found,) = apart("opencv", "opencv")
    assert found.found == "cannot run /nowhere/python: No such file or directory"


def test_a_defect_of_a_check_hides_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def defective(*_: object) -> list[Finding]:
        raise KeyError("MemTotal")

    monkeypatch.setattr(health, "temperature", defective)
    told = by_check(list(examine(root=tmp_path, firmware=no_vcgencmd)))
    assert list(told) == CHECKS
    assert told["temperature"].level == "failure"
    assert told["temperature"].found == "the check itself failed: KeyError: 'MemTotal'"
    assert told["throttling"].level == "ok"


def test_the_worst_line_decides() -> None:
    assert worst([]) == "ok"
    assert worst([ok("a", ""), ok("b", "")]) == "ok"
    assert worst([ok("a", ""), warning("b", "", ""), ok("c", "")]) == "warning"
    assert worst([failure("a", "", ""), warning("b", "", "")]) == "failure"


def test_errors_of_many_lines_become_one() -> None:
    one = failure("opencv", "first\n  second\n\nthird", "do\nthis")
    assert (one.found, one.advice) == ("first second third", "do this")
    assert len(ok("opencv", "long " * 1000).found) == 400


def test_warnings_alone_end_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [ok("board", "a board"), warning("camera", "none found", "plug one in"), warning("clock", "late", "wait")]
    monkeypatch.setattr(command, "examine", lambda **_: iter(found))
    result = invoke()
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "ok       board        a board",
            "warning  camera       none found -> plug one in",
            "warning  clock        late -> wait",
            "no failure, 2 warnings",
        ],
    )


def test_a_runtime_of_no_known_name(the_error: Callable[[Result], str]) -> None:
    result = invoke("--runtime", "onnx")
    assert (result.exit_code, result.stdout) == (2, "")
    assert all(runtime.name in the_error(result) for runtime in RUNTIMES)


def test_neither_numpy_nor_opencv_is_imported_before_the_checks() -> None:
    code = "import sys, fer_edge.commands.doctor; print(sorted({'numpy', 'cv2'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_file_on_a_full_disk_is_told_in_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*DOCTOR], stdout=full, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (1, "error: cannot write the output: No space left on device\n")


def test_a_terminal_gets_colours_and_its_width() -> None:
    try:
        own, other = pty.openpty()
    except OSError as error:
        pytest.skip(f"this system has no terminals: {error}")
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    process = subprocess.Popen([*DOCTOR, "--model", "/nowhere"], stdin=other, stdout=other, env=environment)
    os.close(other)
    parts = []
    with contextlib.suppress(OSError):  # which tells that the other end is closed
        while part := os.read(own, 65536):
            parts.append(part)
    os.close(own)
    assert process.wait(60) == 1
    lines = b"".join(parts).decode().splitlines()
    assert lines[0].startswith("\x1b[32mok     \x1b[0m  fer-edge     ")
    (failed,) = [number for number, line in enumerate(lines) if line.startswith("\x1b[31mfailure\x1b[0m  model")]
    # What does not fit goes on below.
    assert lines[failed + 1].startswith(" " * 22)
    assert max(len(re.sub("\x1b\\[[0-9]*m", "", line)) for line in lines if " /" not in line) <= 80
