from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fer_edge import configuration
from fer_edge.configuration import ConfigurationError, Given, effective, from_environment, from_file, from_text
from fer_edge.errors import FerError
from fer_edge.settings import Settings
from fer_edge.settings.keys import find, keys

KEYS = [key.name for key in keys(Settings)]


def test_without_anything_the_defaults_count() -> None:
    found = effective([])
    assert (found.settings, found.origins) == (Settings(), {})


def test_later_ones_count_and_their_origin_is_told() -> None:
    file = from_text("[loop]\nsmoothing_s = 1\nraw = true\n[detector.haar]\nscale_factor = 1.1\n", "a.toml")
    environment = from_environment({"FER_EDGE_LOOP_SMOOTHING_S": "2.5", "FER_EDGE_MODEL_THREADS": "3", "HOME": "/"})
    found = effective([*file, *environment, Given("model.threads", 2, "command line")])
    settings = found.settings
    assert (settings.loop.smoothing_s, settings.loop.raw, settings.model.threads) == (2.5, True, 2)
    assert settings.detector.haar == msgspec.structs.replace(Settings().detector.haar, scale_factor=1.1)
    assert found.origins == {
        "loop.smoothing_s": "environment (FER_EDGE_LOOP_SMOOTHING_S)",
        "loop.raw": "a.toml",
        "detector.haar.scale_factor": "a.toml",
        "model.threads": "command line",
    }


def test_lists_in_the_environment_have_commas() -> None:
    found = effective(
        from_environment({"FER_EDGE_OUTPUT_TO": "console, jsonl", "FER_EDGE_SOURCE_V4L2_SIZE": "640,480"})
    )
    assert found.settings.output.to == ("console", "jsonl")
    assert found.settings.source.v4l2.size == (640, 480)


def test_each_key_has_a_variable_of_its_own() -> None:
    assert len({key.variable for key in keys(Settings)}) == len(KEYS) > 40


@pytest.mark.parametrize("name", KEYS)
def test_each_key_is_described_bounded_and_keeps_its_default(name: str) -> None:
    key = find(Settings, name)
    assert key is not None
    assert key.description.endswith(".")
    assert key.expected
    assert msgspec.convert(msgspec.to_builtins(key.default), key.type) == key.default


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("loop = 3", "a.toml: there is no key 'loop': it is a section; its keys are loop.smoothing_s, "),
        ("[loop]\nsmoothing = 3", "a.toml: there is no key 'loop.smoothing'; did you mean loop.smoothing_s?"),
        ("smoothing_s = 3", "a.toml: there is no key 'smoothing_s'; did you mean loop.smoothing_s?"),
        ("xyzzy = 3", "a.toml: there is no key 'xyzzy'; 'fer-edge config keys' lists all"),
        (
            "[loop]\nraw = 'yes'",
            "a.toml: loop.raw = 'yes' cannot be: give true or false, such as false",
        ),
        (
            "[loop]\nraw.x = 1",
            "a.toml: loop.raw = {'x': 1} cannot be: give true or false, such as false",
        ),
        (
            "[model]\nthreads = 1.5",
            "a.toml: model.threads = 1.5 cannot be: give a whole number from 0 up to 64, such as 0",
        ),
        (
            "[detector.haar]\nscale_factor = 1.0",
            "a.toml: detector.haar.scale_factor = 1.0 cannot be: give a number above 1, up to 2, such as 1.2",
        ),
        (
            "[detector.haar]\nscale_factor = nan",
            "a.toml: detector.haar.scale_factor = nan cannot be: give a number above 1, up to 2, such as 1.2",
        ),
        (
            "[detector]\nname = 'psychic'",
            "a.toml: detector.name = 'psychic' cannot be: give one of haar, none, yunet, such as \"haar\"",
        ),
        (
            "[source.picamera2]\nsize = [640]",
            "a.toml: source.picamera2.size = [640] cannot be: give a list of 2, each a whole number from 0 up to "
            "16384, such as [640,480]",
        ),
        ("[loop\n", "a.toml: no TOML: Expected ']' at the end of a table declaration (at line 1, column 6)"),
        ("[loop]\nraw = true\nraw = false", "a.toml: no TOML: Cannot overwrite a value (at end of document)"),
    ],
)
def test_a_mistake_is_told_with_a_remedy(text: str, finding: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        effective(from_text(text, "a.toml"))
    (told,) = caught.value.findings
    assert told.startswith(finding)
    assert "\n" not in told


def test_an_unknown_variable_is_told() -> None:
    with pytest.raises(ConfigurationError) as caught:
        effective(from_environment({"FER_EDGE_LOOP_SMOOTHING": "3"}))
    assert caught.value.findings == [
        "environment (FER_EDGE_LOOP_SMOOTHING): there is no key 'loop_smoothing'; did you mean loop.smoothing_s?"
    ]


def test_a_variable_that_names_the_file_is_no_key() -> None:
    assert from_environment({configuration.CONFIG_VARIABLE: "/etc/fer-edge.toml"}) == []


@pytest.mark.parametrize(("content", "told"), [(None, "cannot read configuration"), (b"\xff", "no text in UTF-8")])
def test_a_file_that_cannot_be_read(content: bytes | None, told: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FerError, match=told):
        from_file(path)


def test_files_that_are_not_there_are_told() -> None:
    settings = effective(
        [Given("model.file", "/nowhere.tflite", "a"), Given("detector.yunet.file", __file__, "a")]
    ).settings
    assert configuration.missing_files(settings) == [
        "model.file = '/nowhere.tflite': there is no such file; give the path of one"
    ]
