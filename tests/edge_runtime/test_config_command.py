from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from fer_edge.cli import main
from fer_edge.settings import Settings
from fer_edge.settings.document import markdown
from fer_edge.settings.keys import keys

REPOSITORY = Path(__file__).parents[2]
TEN_MISTAKES = """
sources = "demo"
[source]
uri = 0
[source.picamera2]
size = "640x480"
autofocus = "sometimes"
[model]
file = "/nowhere/model.tflite"
threads = 65
runtim = "litert"
[detector]
name = "har"
[detector.haar]
neighbors = -1
[loop]
smoothing_s = "long"
raw = 1
"""


def config(*arguments: str, text: str | None = None, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, ["config", *arguments], input=text)


def test_ten_mistakes_are_ten_findings_each_with_key_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "fer-edge.toml"
    path.write_text(TEN_MISTAKES)
    done = config("check", str(path))
    assert done.exit_code == 2
    findings = done.stdout.splitlines()
    named = ["sources", "source.uri", "picamera2.size", "picamera2.autofocus", "model.threads", "model.runtim"]
    named += ["detector.name", "haar.neighbors", "loop.smoothing_s", "loop.raw"]
    assert [one for one in named if sum(one in finding for finding in findings) != 1] == []
    assert len(findings) == 10
    assert [finding for finding in findings if "give " not in finding and "did you mean " not in finding] == []
    assert done.stderr == f"error: 10 mistakes in {path}\n"


def test_a_file_that_is_named_and_not_there_is_a_finding(tmp_path: Path) -> None:
    done = config("check", text="[model]\nfile = '/nowhere/model.tflite'\n")
    assert done.exit_code == 2
    assert done.stdout == "model.file = '/nowhere/model.tflite': there is no such file; give the path of one\n"
    assert done.stderr == "error: 1 mistake in -\n"


def test_what_init_writes_is_clean_and_says_every_default() -> None:
    written = config("init").stdout
    assert config("check", text=written).exit_code == 0
    assert tomllib.loads(written) != {}
    uncommented = "".join(
        line.removeprefix("# ") + "\n"
        for line in written.splitlines()
        if line.startswith("[") or (line.startswith("# ") and " = " in line and line[2:].split(" = ")[0].isidentifier())
    )
    assert msgspec.convert(tomllib.loads(uncommented), Settings) == Settings()
    assert sum(" = " in line for line in uncommented.splitlines()) == len(keys(Settings))


def test_the_documentation_has_every_key_and_no_other() -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text()
    assert page.endswith(markdown())
    assert config("keys").stdout == markdown()


def test_show_tells_values_and_where_they_come_from(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[loop]\nraw = true\n")
    done = config(
        "show", "--config", str(path), "--set", "model.threads=2", "--json", FER_EDGE_LOOP_MIN_CONFIDENCE="0.5"
    )
    rows = {row["key"]: (row["value"], row["from"]) for row in json.loads(done.stdout)}
    assert list(rows) == [key.name for key in keys(Settings)]
    assert rows["loop.raw"] == (True, str(path))
    assert rows["loop.min_confidence"] == (0.5, "environment (FER_EDGE_LOOP_MIN_CONFIDENCE)")
    assert rows["model.threads"] == (2, "--set")
    assert rows["detector.haar.scale_factor"] == (1.2, "default")
    table = config("show", FER_EDGE_CONFIG=str(path)).stdout.splitlines()
    assert [line.split() for line in table if "loop.raw" in line] == [["loop.raw", "true", str(path)]]


def test_the_schema_is_one_of_the_settings() -> None:
    schema = json.loads(config("schema").stdout)
    haar = schema["$defs"]["HaarSettings"]
    assert haar["additionalProperties"] is False
    assert haar["properties"]["scale_factor"]["exclusiveMinimum"] == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("show", "--set", "loop.raw"), "--set 'loop.raw': give KEY=VALUE, "),
        (("show", "--set", "loop.row=true"), "--set: there is no key 'loop.row'; did you mean loop.raw?"),
        (("show", "--config", "/nowhere.toml"), "cannot read configuration /nowhere.toml: No such file"),
        (("check", "/nowhere.toml"), "cannot read configuration /nowhere.toml: No such file"),
    ],
)
def test_bad_arguments(arguments: tuple[str, ...], told: str) -> None:
    done = config(*arguments)
    assert done.exit_code in (1, 2)
    assert done.stderr.startswith(f"error: {told}")
    assert len(done.stderr.splitlines()) == 1


def test_run_obeys_its_file(fer_edge: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="needs scikit-image (extra demo)")
    path = tmp_path / "a.toml"
    path.write_text("[source]\nuri = 'demo'\n[loop]\nraw = true\n[output]\nto = ['jsonl']\n")
    done = fer_edge("run", "--config", path, "--frames", "2", "--set", "detector.name=none")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, len(lines)) == (0, 2), done.stderr
    assert [face["box"] for face in lines[0]["faces"]] == [[0, 0, 400, 300]]
    assert "raw" in lines[0]["faces"][0]
    path.write_text("[source]\nuri = 'demo'\n[loop]\nraw = 2\nsmooth = 1\n")
    done = fer_edge("run", "--config", path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "loop.raw = 2 cannot be" in done.stderr
    assert "no key 'loop.smooth'" in done.stderr
