"""Products in bfloat16 where the processor has it: Keras' policy "mixed_bfloat16", weights and sums in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_edge.errors import FerError
from fer_train.keras_setup import keras, tf

# As the kernel calls it on x86-64 and on ARM.
_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
_CPUINFO = Path("/proc/cpuinfo")
_AMPERE = 8


@contextmanager
def policy(*, mixed: bool, cpuinfo: Path = _CPUINFO) -> Iterator[None]:
    """Build layers for mixed precision, or as always.

    Raises:
        FerError: Neither the processor nor a GPU has bfloat16.
    """
    if mixed and not (_gpu() or _processor(cpuinfo)):
        raise FerError("this processor has no bfloat16, mixed precision would be slower: leave out --mixed-precision")
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if mixed else "float32")
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def _gpu() -> bool:
    devices = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(device) for device in devices]
    return any(detail.get("compute_capability", (0,))[0] >= _AMPERE for detail in details)


def _processor(cpuinfo: Path) -> bool:
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return any(
        _FLAGS & set(line.partition(":")[2].split()) for line in lines if line.lower().startswith(("flags", "features"))
    )
