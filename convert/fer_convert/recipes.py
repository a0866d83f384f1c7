"""The ways to convert a model. A recipe is data with a name, and the name ends the file's name: `x-int8.tflite`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

# More zeros leave too little of a small network.
MAX_SPARSITY = 0.95


@dataclass(frozen=True)
class Sparsity:
    """How many weights pruning makes zero.

    Attributes:
        share: Of the weights of all pruned kernels together, 0 < share <= MAX_SPARSITY.
        pattern: (zeros, group): that many of each group of weights that lie side by side along the input channels;
            None where the zeros may lie anywhere.
        even: Whether each kernel has that share; else small kernels keep more of their weights than large ones.
    """

    share: float
    pattern: tuple[int, int] | None = None
    even: bool = False

    @classmethod
    def parse(cls, text: str) -> Sparsity:
        """Read "0.8" or "2:4". Raises `ValueError`."""
        if text == "2:4":
            return cls(0.5, (2, 4))
        share = float(text)
        if not 0 < share <= MAX_SPARSITY:
            raise ValueError(text)
        return cls(share)

    @property
    def name(self) -> str:
        """The start of a recipe's name: "prune80", "prune2of4"."""
        return f"prune{100 * self.share:g}" if self.pattern is None else "prune{}of{}".format(*self.pattern)


@dataclass(frozen=True)
class Recipe:
    """A named way to convert.

    Attributes:
        name: As in the file's name and the model's metadata.
        weights: Type of the stored weights. int8 has a scale for each channel
            (https://ai.google.dev/edge/litert/models/quantization_spec).
        activations: Type of what flows between the layers; the scales of integers come from training faces.
        trained: Fine-tuned with quantization in the loop before (quantization-aware training).
        summary: One line for people.
        sparsity: Pruned to that before; None for all weights.
    """

    name: str
    weights: Literal["float32", "float16", "int8"]
    activations: Literal["float32", "int8", "int16"]
    trained: bool
    summary: str
    sparsity: Sparsity | None = None

    @property
    def calibrated(self) -> bool:
        """Whether training faces are needed for the ranges of the activations."""
        return self.activations != "float32"

    @property
    def integer(self) -> bool:
        """Whether nothing but integers flows: input and output can be integers too."""
        return self.activations == "int8"

    @property
    def tuned(self) -> bool:
        """Whether it trains, and so needs the training data."""
        return self.trained or self.sparsity is not None

    def pruned(self, sparsity: Sparsity) -> Recipe:
        """Give the same way for a pruned model."""
        return replace(self, name=f"{sparsity.name}-{self.name}", sparsity=sparsity)

    @property
    def rounding(self) -> Literal["float32", "int8", "int16", "dynamic"]:
        """What activations are rounded to, "dynamic" where that is done as they come: of `verifying.TOLERANCES`."""
        return "dynamic" if self.weights == "int8" and self.activations == "float32" else self.activations


RECIPES = (
    Recipe("fp32", "float32", "float32", False, "float32 weights, as trained"),
    Recipe("fp16", "float16", "float32", False, "float16 weights, computed in float32: half the bytes"),
    Recipe("dynamic", "int8", "float32", False, "int8 weights, activations rounded as they come: no calibration"),
    Recipe("int8", "int8", "int8", False, "full-integer int8, a quarter of the bytes; the default"),
    Recipe("int16x8", "int8", "int16", False, "int8 weights, int16 activations: nearer to float, slow on processors"),
    Recipe("qat-int8", "int8", "int8", True, "int8 after quantization-aware training on --data"),
)
# What the input and output of an integer recipe may be.
ENDS = ("int8", "uint8", "float32")

# Points of accuracy that a file may lose against the float model.
MAX_DROP = 2.0
