from __future__ import annotations

import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.labels import EXPRESSIONS

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]
Shared = Callable[[str], Path]

SUMMARY = re.compile(
    r"frames (\d+), faces (\d+), \d+\.\d frames/s, dropped 0\n"
    r"ms +p50 +p90 +p99 +max\n[- ]+\ncapture .*\ndetect .*\nclassify .*\ntotal .*\nage .*\n"
)


def check_line(line: str, source: str) -> dict[str, Any]:
    """Hold one line of JSON to the issue's form, and give it."""
    result: dict[str, Any] = json.loads(line)
    assert list(result) == ["frame", "time", "source", "age_ms", "dropped", "faces", "ms"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", result["time"])
    assert datetime.fromisoformat(result["time"]).utcoffset() is not None
    assert (result["source"], result["dropped"]) == (source, 0)
    assert list(result["ms"]) == ["capture", "detect", "classify", "total"]
    assert result["age_ms"] > 0
    assert result["ms"]["total"] == pytest.approx(sum(list(result["ms"].values())[:3]), abs=0.01)
    for face in result["faces"]:
        assert list(face) == ["track", "box", "expression", "confidence", "probabilities"]
        assert tuple(face["probabilities"]) == EXPRESSIONS
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-9)
        assert face["confidence"] == face["probabilities"][face["expression"]] == max(face["probabilities"].values())
        assert [type(value) for value in face["box"]] == [int] * 4
    return result


def test_one_face_as_jsonl(fer_edge: Run, shared_data: Shared, model_path: Path) -> None:
    photo = shared_data("photos/obama.jpg")
    done = fer_edge("run", "--source", photo, "--model", model_path, "--output", "jsonl")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\n")
    (line,) = done.stdout.splitlines()
    result = check_line(line, "obama.jpg")
    (face,) = result["faces"]
    assert (result["frame"], face["track"]) == (0, 1)
    rows, columns = cv2.imread(str(photo)).shape[:2]
    x, y, width, height = face["box"]
    assert x >= 0
    assert y >= 0
    assert x + width <= columns
    assert y + height <= rows
    # Nothing but the summary: no library's own words.
    assert SUMMARY.fullmatch(done.stderr), done.stderr


def test_nobody_as_jsonl(fer_edge: Run, shared_data: Shared, model_path: Path) -> None:
    done = fer_edge(
        "run", "--source", shared_data("photos/no_face_cat.jpg"), "--model", model_path, "--output", "jsonl"
    )
    assert done.returncode == 0, done.stderr
    assert '"faces":[]' in done.stdout
    assert check_line(done.stdout, "no_face_cat.jpg")["faces"] == []


def test_the_console_is_the_default_and_frames_stops_early(
    fer_edge: Run, shared_data: Shared, model_path: Path
) -> None:
    done = fer_edge("run", "--source", shared_data("video/single_face.mp4"), "--model", model_path, "--frames", "3")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    for number, line in enumerate(lines):
        assert re.fullmatch(
            rf"frame {number}: #1 ({'|'.join(EXPRESSIONS)}) \d+ % at \d+,\d+ \d+x\d+ \| "
            r"detect \d+\.\d, classify \d+\.\d, total \d+\.\d ms",
            line,
        ), line
    summary = SUMMARY.fullmatch(done.stderr)
    assert summary, done.stderr
    assert summary.groups() == ("3", "3")


def test_a_folder_names_and_counts_what_it_skips(
    fer_edge: Run, tmp_path: Path, shared_data: Shared, model_path: Path
) -> None:
    cat = shared_data("photos/no_face_cat.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(cat)
    (tmp_path / "b.jpg").write_text("hello")
    (tmp_path / "c.png").write_bytes(shared_data("photos/skimage_astronaut.png").read_bytes()[:3000])
    done = fer_edge("run", "--source", tmp_path, "--model", model_path, "--output", "jsonl")
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["source"] for line in done.stdout.splitlines()] == ["a.jpg"]
    lines = done.stderr.splitlines()
    assert [line for line in lines if line.startswith("warning: ")] == [
        f"warning: skipped: {tmp_path / name} is not an image that can be decoded, or is cut off"
        for name in ("b.jpg", "c.png")
    ]
    assert lines[-1] == "skipped 2"


def test_a_folder_in_which_nothing_decodes_names_each(fer_edge: Run, tmp_path: Path, model_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_text("hello")
    done = fer_edge("run", "--source", tmp_path, "--model", model_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: none of the 2 images in {tmp_path} can be decoded\n" in done.stderr
    for name in ("a.jpg", "b.jpg"):
        assert name in done.stderr


@pytest.fixture
def bad(tmp_path: Path, model_path: Path) -> Path:
    """Make files that cannot be used."""
    (tmp_path / "text.jpg").write_text("hello\n")
    (tmp_path / "text.mp4").write_text("hello\n")
    (tmp_path / "text.tflite").write_text("hello, this is no model\n")
    (tmp_path / "empty.tflite").touch()
    content = model_path.read_bytes()
    (tmp_path / "cut.tflite").write_bytes(content[: len(content) // 2])
    cv2.imwrite(str(tmp_path / "gray.png"), np.full((100, 100), 128, np.uint8))
    return tmp_path


FOREIGN = "weights/coral_tf2_mobilenet_v2_1.0_224_ptq.tflite"


@pytest.mark.parametrize(
    ("source", "model", "code", "message"),
    [
        (
            "{bad}/nowhere.jpg",
            "{model}",
            2,
            "no source '{bad}/nowhere.jpg': give demo, auto, picamera2, a camera's number",
        ),
        ("{bad}/text.jpg", "{model}", 1, "{bad}/text.jpg is not an image that can be decoded"),
        ("{bad}/text.mp4", "{model}", 1, "{bad}/text.mp4 is not a video or image that can be decoded"),
        ("99", "{model}", 1, "no camera /dev/video99 "),
        ("{bad}/gray.png", "{bad}/missing.tflite", 1, "cannot read model {bad}/missing.tflite: No such file"),
        ("{bad}/gray.png", "{bad}", 1, "cannot read model {bad}: Is a directory"),
        ("{bad}/gray.png", "{bad}/empty.tflite", 1, "model {bad}/empty.tflite is empty"),
        ("{bad}/gray.png", "{bad}/text.tflite", 1, "{bad}/text.tflite is not a TFLite model"),
        ("{bad}/gray.png", "{bad}/cut.tflite", 1, "{bad}/cut.tflite carries no metadata.json: "),
        ("{bad}/gray.png", "{foreign}", 1, "{foreign} carries no metadata.json: it was not written by fer-convert; "),
    ],
)
def test_bad_input_is_told_in_one_line(
    fer_edge: Run,
    shared_data: Shared,
    model_path: Path,
    bad: Path,
    source: str,
    model: str,
    code: int,
    message: str,
) -> None:
    names = {"bad": bad, "model": model_path, "foreign": shared_data(FOREIGN) if "foreign" in model else ""}
    before = sorted(bad.iterdir())
    done = fer_edge("run", "--source", source.format(**names), "--model", model.format(**names), "--output", "jsonl")
    assert (done.returncode, done.stdout) == (code, "")
    # One line: what FFmpeg and other libraries inside OpenCV have to say is not for the user.
    told = done.stderr.splitlines()
    assert len(told) == 1, done.stderr
    assert told[0].startswith("error: " + message.format(**names))
    assert sorted(bad.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("run", "--source", "demo", "--output", "telegram"),
            "Invalid value for '--output': 'telegram' is not one of 'console', 'csv', 'jsonl', 'metrics', 'mqtt', "
            "'video'.",
        ),
        (
            ("run", "--source", "demo", "--frames", "0"),
            "Invalid value for '--frames': 0 is not in the range x>=1.",
        ),
        (("fly",), "No such command 'fly'."),
    ],
)
def test_bad_options(fer_edge: Run, arguments: tuple[str, ...], message: str) -> None:
    done = fer_edge(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {message} (--help lists what can be given)\n"


def test_a_runtime_that_is_not_installed(fer_edge: Run, bad: Path, model_path: Path) -> None:
    absent = "tflite-runtime" if _installed("ai-edge-litert") else "litert"
    if _installed({"litert": "ai-edge-litert"}.get(absent, absent)):
        pytest.skip("both interpreters are installed")
    done = fer_edge("run", "--source", bad / "gray.png", "--model", model_path, "--runtime", absent)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: no TFLite interpreter can be imported ({absent}: ")


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_with_the_summary(
    start_fer_edge: Start, model_path: Path, signal_number: signal.Signals
) -> None:
    pytest.importorskip("skimage", reason="needs scikit-image (extra demo)")
    with start_fer_edge("run", "--source", "demo", "--model", model_path, "--output", "jsonl") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # A line that comes while it runs was flushed.
        check_line(process.stdout.readline(), "demo")
        process.send_signal(signal_number)
        # communicate() would lose the lines that were read ahead with the first.
        out, err = process.stdout.read(), process.stderr.read()
    assert process.returncode == 0, err
    for line in out.splitlines():
        check_line(line, "demo")
    assert out.endswith("\n") or not out
    summary = SUMMARY.fullmatch(err)
    assert summary, err
    assert int(summary[1]) == 1 + len(out.splitlines())


@pytest.mark.parametrize("output", ["console", "jsonl"])
def test_a_reader_that_leaves_ends_it_quietly(
    start_fer_edge: Start, shared_data: Shared, model_path: Path, output: str
) -> None:
    film = shared_data("video/single_face.mp4")
    with start_fer_edge("run", "--source", film, "--model", model_path, "--output", output) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(timeout=120) == 0, err
    summary = SUMMARY.fullmatch(err)
    assert summary, err
    assert int(summary[1]) < 72


@pytest.mark.parametrize("output", ["console", "jsonl"])
def test_a_full_disk_is_told_in_one_line(shared_data: Shared, model_path: Path, output: str) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    cat = shared_data("photos/no_face_cat.jpg")
    arguments = ["run", "--source", str(cat), "--model", str(model_path), "--output", output]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from fer_edge.cli import main; main()", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 1
    (told,) = [line for line in done.stderr.splitlines() if "No space left on device" in line]
    assert told.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_it_works_where_tensorflow_cannot_be_imported(shared_data: Shared, model_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'tf_keras', 'fer_train', 'fer_convert'):\n"
        "    sys.modules[name] = None\n"
        "from fer_edge.cli import main\n"
        "main()\n"
    )
    arguments = ["run", "--source", shared_data("photos/obama.jpg"), "--model", model_path, "--output", "jsonl"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    assert len(check_line(done.stdout, "obama.jpg")["faces"]) == 1


def test_the_shipped_model_is_the_default_and_the_demo_is_mostly_happy(fer_edge: Run, shipped_model_path: Path) -> None:
    pytest.importorskip("skimage", reason="needs scikit-image (extra demo)")
    done = fer_edge("run", "--source", "demo", "--frames", "40", "--output", "jsonl")
    assert done.returncode == 0, done.stderr
    faces = [face for line in done.stdout.splitlines() for face in check_line(line, "demo")["faces"]]
    assert len(faces) >= 38
    assert sum(face["expression"] == "happy" for face in faces) > len(faces) / 2


def test_the_version_is_the_distributions(fer_edge: Run) -> None:
    if not _installed("fer-edge"):
        pytest.skip("fer-edge is not installed here, only on the path")
    done = fer_edge("--version")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith(f"version {importlib.metadata.version('fer-edge')}")
