"""The packages that have a TFLite interpreter, and which of them are there.

Tried in this order: LiteRT (`ai_edge_litert`), its predecessor `tflite_runtime`, and the copy inside TensorFlow.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import msgspec

from fer_edge import releases
from fer_edge.errors import FerError, UsageError

_UNKNOWN = "of unknown version"


class Runtime(msgspec.Struct, frozen=True):
    """An interpreter package.

    Attributes:
        name: As in `--runtime`.
        module: The module that holds its `Interpreter`.
        distribution: The package's usual name for pip.
    """

    name: str
    module: str
    distribution: str

    @property
    def version(self) -> str:
        """Version of the package, as it calls itself once it is loaded, otherwise as pip knows it.

        TensorFlow comes under several names (tensorflow-cpu, tensorflow-intel, tf-nightly), of which pip lets one write
        over another. "of unknown version" where nobody tells.
        """
        told = getattr(sys.modules.get(self.module.partition(".")[0]), "__version__", None)
        if told is not None:
            return str(told)
        from importlib import metadata  # costs a start as much as the model's loading, and is seldom asked

        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return _UNKNOWN

    @property
    def release(self) -> str | None:
        """The newest TFLite release, by TensorFlow's numbers, whose operators the installed package has in full.

        None where the package does not tell its version. How versions are turned into TensorFlow's numbers is told in
        `fer_edge.releases`.
        """
        version = self.version
        if version == _UNKNOWN:
            return None
        return releases.of_litert(version) if self.name == "litert" else releases.of_tensorflow(version)

    def load(self) -> ModuleType:
        """Import the module that holds the package's `Interpreter`. Raises `ImportError`."""
        return importlib.import_module(self.module)


RUNTIMES = (
    Runtime("litert", "ai_edge_litert.interpreter", "ai-edge-litert"),
    Runtime("tflite-runtime", "tflite_runtime.interpreter", "tflite-runtime"),
    Runtime("tensorflow", "tensorflow.lite.python.interpreter", "tensorflow"),
)


def find_runtime(name: str | None = None) -> tuple[Runtime, ModuleType]:
    """Give the first interpreter that imports.

    Args:
        name: Only this one of `RUNTIMES`.

    Returns:
        The runtime and its module.

    Raises:
        UsageError: The name is not known.
        FerError: None can be imported.
    """
    wanted = [runtime for runtime in RUNTIMES if name in (None, runtime.name)]
    if not wanted:
        raise UsageError(f"no runtime is called {name!r}; there are {', '.join(r.name for r in RUNTIMES)}")
    failures = []
    for runtime in wanted:
        try:
            return runtime, runtime.load()
        except ImportError as error:
            failures.append(f"{runtime.name}: {error}")
    raise FerError(
        f"no TFLite interpreter can be imported ({'; '.join(failures)}): "
        f"install one, such as 'pip install {wanted[0].distribution}'"
    )
