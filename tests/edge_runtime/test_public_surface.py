from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import fer_edge


def test_the_public_names_are_these() -> None:
    assert fer_edge.__all__ == [
        "Box",
        "Classifier",
        "DataError",
        "Face",
        "FerError",
        "Frame",
        "InputSpec",
        "Loop",
        "ModelError",
        "ModelMetadata",
        "Result",
        "SourceError",
        "StageTimes",
        "Track",
        "UsageError",
        "open_detector",
        "open_source",
        "shipped_model",
    ]


def test_every_public_name_is_there() -> None:
    assert [name for name in fer_edge.__all__ if not hasattr(fer_edge, name)] == []


def test_a_name_that_is_none() -> None:
    with pytest.raises(AttributeError, match=r"^module 'fer_edge' has no attribute 'detect_faces'$"):
        fer_edge.detect_faces  # noqa: B018


def test_the_command_collects_garbage_again_when_it_runs(shared_data: Callable[[str], Path]) -> None:
    photo = str(shared_data("photos/skimage_astronaut.png"))
    code = (
        f"import gc, sys; sys.argv = ['fer-edge', 'run', '--source', {photo!r}]\n"
        "from fer_edge.__main__ import main\n"
        "print(gc.isenabled())\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    print(end.code, gc.isenabled(), gc.get_freeze_count() > 1000)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    first, *_, last = done.stdout.splitlines()
    assert (first, last) == ("False", "0 True True")


def test_importing_the_runtime_imports_no_training() -> None:
    code = (
        "import sys, pkgutil, importlib, fer_edge\n"
        "for module in pkgutil.walk_packages(fer_edge.__path__, 'fer_edge.'):\n"
        "    importlib.import_module(module.name)\n"
        "roots = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(roots & {'tensorflow', 'keras', 'tf_keras', 'fer_train', 'fer_convert', 'fer_bench'}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "[]\n"
