"""Random numbers that depend on the seed and the place in the training alone, so that a resumed one repeats them."""

from __future__ import annotations

from typing import Any

from fer_train.keras_setup import tf


class Generators:
    """The generators that Keras' random layers draw from.

    Keras offers no public way to set their state, and leaves it out of checkpoints.
    """

    def __init__(self, model: Any, seed: int) -> None:
        """Find the generators of a built model, in the order of its layers."""
        self._seed = seed
        layers = [layer for layer in model.submodules if hasattr(layer, "_random_generator")]
        found = [layer._random_generator._generator for layer in layers]
        self._generators = [generator for generator in found if generator is not None]

    def place(self, position: Any) -> None:
        """Set every generator to the start of a stream of its own for a position.

        Args:
            position: Number of the step or epoch, an int or an int64 scalar tensor.
        """
        for number, generator in enumerate(self._generators):
            # Philox: a counter of 128 bits, low half first, and a key.
            state = tf.stack(
                [tf.zeros((), tf.int64), tf.cast(position, tf.int64), tf.constant(self._seed + number, tf.int64)]
            )
            generator.reset(state)
