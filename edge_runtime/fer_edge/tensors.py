"""What a model takes and gives: shape, type, and which real values its integers stand for."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

# Steps below half-way that still round up: more than float32's error in a pixel.
_HALF_WAY = 1e-4


class Tensor(msgspec.Struct, frozen=True):
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

    @classmethod
    def of(cls, detail: dict[str, Any]) -> Tensor:
        """Take the facts from what every interpreter gives as the details of a tensor."""
        scale, zero_point = detail["quantization"]
        return cls(
            index=int(detail["index"]),
            shape=tuple(int(size) for size in detail["shape"]),
            dtype=np.dtype(detail["dtype"]),
            scale=float(scale),
            zero_point=int(zero_point),
        )

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
