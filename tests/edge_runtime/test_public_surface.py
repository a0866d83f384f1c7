from __future__ import annotations

import subprocess
import sys

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
