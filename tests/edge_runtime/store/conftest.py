from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fer_edge.metadata import attach, read_model
from fer_edge.store import Store
from fer_edge.store.installing import install
from fer_edge.store.listing import Listing


@pytest.fixture(scope="session")
def flatbuffer(model_path: Path) -> bytes:
    """Give a model without its description."""
    with zipfile.ZipFile(model_path) as members:
        return model_path.read_bytes()[: min(member.header_offset for member in members.infolist())]


@pytest.fixture(scope="session")
def make_model(model_path: Path, flatbuffer: bytes, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Give a function from a name, a flatbuffer and changes of the description to a model file."""
    folder = tmp_path_factory.mktemp("models")
    _, metadata = read_model(model_path)

    def make(name: str, content: bytes | None = None, **changes: Any) -> Path:
        path = folder / f"{name}.tflite"
        path.write_bytes(attach(content or flatbuffer, msgspec.structs.replace(metadata, name=name, **changes)))
        return path

    return make


@pytest.fixture(scope="session")
def first(make_model: Callable[..., Path]) -> Path:
    return make_model("first")


@pytest.fixture(scope="session")
def second(make_model: Callable[..., Path]) -> Path:
    return make_model("second")


@pytest.fixture(scope="session")
def _with_one(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one") / "models"
    install(first, folder)
    return folder


@pytest.fixture(scope="session")
def _with_two(_with_one: Path, second: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two") / "models"
    shutil.copytree(_with_one, folder)
    trial = Store(folder).begin()
    assert trial is not None
    assert trial.proved() is None
    install(second, folder)
    return folder


@pytest.fixture
def one(_with_one: Path, tmp_path: Path) -> Path:
    """Give a store in which the first model is current, and nothing has proved itself."""
    return Path(shutil.copytree(_with_one, tmp_path / "models"))


@pytest.fixture
def two(_with_two: Path, tmp_path: Path) -> Path:
    """Give a store in which the first model is the last good one, and the second is current and new."""
    return Path(shutil.copytree(_with_two, tmp_path / "models"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a folder that is a disk of 6 MB: it has room for two models."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(folder)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs to mount a tmpfs: {error}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def listed() -> Callable[[Path], Listing]:
    """Give a function that reads what a store knows."""
    return lambda folder: msgspec.json.decode((folder / "models.json").read_bytes(), type=Listing)
