"""One adapter over the TFLite interpreters; the only module that imports any of them.

Tried in this order: LiteRT (`ai_edge_litert`), its predecessor `tflite_runtime`, and the copy inside TensorFlow. What
differs between them (names, threads, quantised tensors, error texts) ends here.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_edge.errors import FerError, ModelError, UsageError
from fer_edge.quiet import native_stderr_hidden


@dataclass(frozen=True)
class Runtime:
    """An interpreter package.

    Attributes:
        name: As in `--runtime` and in a model's `minimum_runtime`.
        module: The module that holds its `Interpreter`.
        distribution: The package's name for pip, which also tells its version.
    """

    name: str
    module: str
    distribution: str

    @property
    def version(self) -> str:
        """Version of the installed package. Raises `importlib.metadata.PackageNotFoundError` where it is absent."""
        return importlib.metadata.version(self.distribution)

    def load(self) -> ModuleType:
        """Import the module that holds the package's `Interpreter`. Raises `ImportError`."""
        return importlib.import_module(self.module)


RUNTIMES = (
    Runtime("litert", "ai_edge_litert.interpreter", "ai-edge-litert"),
    Runtime("tflite-runtime", "tflite_runtime.interpreter", "tflite-runtime"),
    Runtime("tensorflow", "tensorflow.lite.python.interpreter", "tensorflow"),
)


# Steps below half-way that still round up: more than float32's error in a pixel.
_HALF_WAY = 1e-4


def default_threads() -> int:
    """Threads for the classifier: all cores of this process but one for the camera, at most four.

    An interpreter with more threads than free cores collapses to a fraction of its speed.
    """
    return max(1, min(4, len(os.sched_getaffinity(0)) - 1))


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


@dataclass(frozen=True)
class Tensor:
    """The input or output of a model.

    Attributes:
        index: The interpreter's number for it.
        shape: Sizes, the batch first.
        dtype: float32, int8 or uint8.
        scale: A quantised value q stands for `(q - zero_point) * scale`; 0 where the tensor is float.
        zero_point: See `scale`.
    """

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    def quantize(self, values: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        """Turn real values into what the tensor holds, rounding half up and saturating.

        Keras' scaling to -1..1 puts every pixel half-way between two steps. Rounded half to even, neighbouring levels
        would merge in pairs, and float32's own error would choose for each level anew; all the same way is the whole
        picture lighter by half a level, which no network notices.
        """
        if not self.scale:
            return values.astype(self.dtype, copy=False)
        limits = np.iinfo(self.dtype)
        # In float64 by name: NumPy 1 would divide in float32, and pixels that fall half-way would round otherwise.
        steps = np.floor(values.astype(np.float64) / self.scale + 0.5 + _HALF_WAY) + self.zero_point
        quantized: npt.NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(self.dtype)
        return quantized

    def dequantize(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Turn what the tensor holds into real values."""
        if not self.scale:
            return np.asarray(stored, np.float32)
        return ((stored.astype(np.int32) - self.zero_point) * self.scale).astype(np.float32)


class Interpreter:
    """A loaded model with one input and one output, whichever package runs it.

    Attributes:
        runtime: The package.
        threads: Threads it was made with.
        input: The input tensor.
        output: The output tensor.
    """

    def __init__(
        self, model: bytes, *, threads: int | None = None, runtime: str | None = None, portable: bool = False
    ) -> None:
        """Load a model.

        Args:
            model: The bytes of a TFLite file.
            threads: Fixed for the interpreter's life; by default `default_threads()`.
            runtime: Name of the only package to use.
            portable: Use the kernels that all packages share in place of XNNPACK's. An integer model then gives the
                same numbers in each of them, bit for bit, but runs several times slower.

        Raises:
            ModelError: The package does not take the model.
            FerError: No package can be imported.
            UsageError: The runtime's name is not known.
        """
        self.runtime, module = find_runtime(runtime)
        self.threads = threads or default_threads()
        try:
            with native_stderr_hidden():  # LiteRT announces XNNPACK, and repeats each error there
                kernels = module.OpResolverType
                self._interpreter = module.Interpreter(
                    model_content=model,
                    num_threads=self.threads,
                    experimental_op_resolver_type=(
                        kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES if portable else kernels.AUTO
                    ),
                )
                self._interpreter.allocate_tensors()
        except SystemError as error:  # a native module that was built for another NumPy
            raise FerError(
                f"{self.runtime.name} {self.runtime.version} does not work with NumPy {np.__version__}: "
                "tflite-runtime needs 'numpy<2'"
            ) from error
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelError(f"{self.runtime.name} {self.runtime.version} cannot load the model: {reason}") from error
        self.input = self._only(self._interpreter.get_input_details(), "input")
        self.output = self._only(self._interpreter.get_output_details(), "output")
        self._invoke: Callable[[], None] = self._interpreter.invoke

    def run(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Run the model once.

        Args:
            stored: `input.shape` and `input.dtype`: quantised where the model is.

        Returns:
            A copy of the output, `output.shape` and `output.dtype`.
        """
        self._interpreter.set_tensor(self.input.index, stored)
        self._invoke()
        result: npt.NDArray[Any] = self._interpreter.get_tensor(self.output.index)
        return result

    @staticmethod
    def _only(details: list[dict[str, Any]], what: str) -> Tensor:
        if len(details) != 1:
            raise ModelError(f"the model has {len(details)} {what}s, ours have one")
        detail = details[0]
        scale, zero_point = detail["quantization"]
        return Tensor(
            index=int(detail["index"]),
            shape=tuple(int(size) for size in detail["shape"]),
            dtype=np.dtype(detail["dtype"]),
            scale=float(scale),
            zero_point=int(zero_point),
        )
