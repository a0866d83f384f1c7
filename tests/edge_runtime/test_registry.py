from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge import detectors, sources
from fer_edge.errors import UsageError
from fer_edge.registry import Registry


def test_what_there_is() -> None:
    assert detectors.REGISTRY.names() == ("haar", "none", "yunet")
    assert sources.REGISTRY.names() == ("auto", "demo", "folder", "image", "picamera2", "stream", "v4l2", "video")


def test_adding_one_is_adding_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "sweets_of_test"
    package.mkdir()
    for name in ("__init__", "_private", "dark_chocolate", "apple"):
        (package / f"{name}.py").write_text(f"NAME = {name!r}\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("sweets_of_test", "sweet")
    assert registry.names() == ("apple", "dark-chocolate")
    assert registry.load("dark-chocolate").NAME == "dark_chocolate"
    for unknown in ("-private", "_private", "", "os"):
        with pytest.raises(UsageError) as caught:
            registry.load(unknown)
        assert str(caught.value) == f"no sweet is called {unknown!r}; there are apple, dark-chocolate"
