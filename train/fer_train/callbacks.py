"""What happens between the epochs of a training."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fer_edge.errors import FerError
from fer_train.keras_setup import keras, tf
from fer_train.randomness import Generators
from fer_train.settings import FitSettings


class NonFiniteLossError(FerError):
    """The loss, or a weight, is not a number any more."""


# What Keras calls the metric, and whether more is better.
METRICS = {"accuracy": ("val_accuracy", "max"), "macro-f1": ("val_macro_f1", "max"), "loss": ("val_loss", "min")}


def standard(settings: FitSettings) -> list[Any]:
    """Give Keras' own callbacks for early stopping and for the schedule "plateau"."""
    monitor, mode = METRICS[settings.monitor]
    chosen = []
    if settings.patience:
        chosen.append(keras.callbacks.EarlyStopping(monitor, patience=settings.patience, mode=mode))
    if settings.schedule == "plateau":
        chosen.append(
            keras.callbacks.ReduceLROnPlateau(
                monitor, factor=settings.decay, patience=settings.decay_every, mode=mode, min_delta=0
            )
        )
    return chosen


class Replay(keras.callbacks.Callback):  # type: ignore[misc]  # Keras ships no types
    """Shows other callbacks the epochs before a resumed one, so that they stand where they stood."""

    def __init__(self, others: Sequence[Any], first: int, epochs: Sequence[dict[str, float]]) -> None:
        """Remember the epochs; `first` is the number of the first."""
        super().__init__()
        self._others, self._first, self._epochs = others, first, epochs

    def on_train_begin(self, logs: Any = None) -> None:
        """Show them; the others have been reset just before."""
        del logs
        for number, metrics in enumerate(self._epochs, start=self._first):
            for other in self._others:
                other.on_epoch_end(number, dict(metrics))


class StopOnNonFinite(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends the training with an error at the first step whose loss, or epoch whose weights, are not finite."""

    # Keras then gives tensors and leaves it to us when to wait for them.
    _supports_tf_logs = True

    def __init__(self, kept: Callable[[], int]) -> None:
        """Take what tells how many epochs are kept in a checkpoint."""
        super().__init__()
        self._kept, self._epoch = kept, 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Remember the epoch for the message."""
        del logs
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look at the loss; Keras' mean over the epoch stays not finite once it is."""
        if not np.isfinite(logs["loss"]):
            self._fail(f"the loss is not finite in step {batch + 1} of epoch {self._epoch + 1}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Look at the loss on the selection split, and at the weights."""
        if not np.isfinite(logs["val_loss"]):
            self._fail(f"the loss is not finite in epoch {epoch + 1}, on the images to select on")
        # A ReLU swallows what is no number: the loss may look good all the same.
        floats = [variable for variable in self.model.weights if variable.dtype.is_floating]
        if not all(np.isfinite(variable.numpy()).all() for variable in floats):
            self._fail(f"the weights are not finite after epoch {epoch + 1}")

    def _fail(self, what: str) -> None:
        kept = f"; the checkpoint of epoch {self._kept()} is kept" if self._kept() else ""
        raise NonFiniteLossError(f"{what}: lower --learning-rate{kept}")


class Reseed(keras.callbacks.Callback):  # type: ignore[misc]
    """Puts the model's dropout and noise at a place that depends on the epoch alone."""

    def __init__(self, seed: int) -> None:
        """Take the seed of the training."""
        super().__init__()
        # Away from those of the augmentation, which start at the seed itself.
        self._seed = seed + 1_000

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the generators."""
        del logs
        Generators(self.model, self._seed).place(epoch)


class Tell(keras.callbacks.Callback):  # type: ignore[misc]
    """Prints a line an epoch, with the time that is left."""

    def __init__(self, first: int, epochs: int, say: Callable[[str], None]) -> None:
        """Take the numbers of the first epoch and of all epochs."""
        super().__init__()
        self._first, self._epochs, self._say = first, epochs, say
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Print the metrics."""
        each = (time.monotonic() - self._began) / (epoch + 1 - self._first)
        left = round(each * (self._epochs - epoch - 1))
        self._say(
            f"epoch {epoch + 1:3}/{self._epochs}  loss {logs['loss']:.3f}  accuracy {100 * logs['accuracy']:.1f} %  "
            f"held out: loss {logs['val_loss']:.3f}  accuracy {100 * logs['val_accuracy']:.1f} %  "
            f"{each:.0f} s an epoch, {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"
        )


class AfterEpoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Calls a function with the metrics of each finished epoch."""

    def __init__(self, call: Callable[[dict[str, float]], None]) -> None:
        """Take the function."""
        super().__init__()
        self._call = call

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Call it; the learning rate is added."""
        del epoch
        optimizer = self.model.optimizer
        rate = optimizer.learning_rate
        if callable(rate):
            rate = rate(optimizer.iterations)
        # The schedule "plateau" adds the same as "lr".
        metrics = {name: float(value) for name, value in logs.items() if name != "lr"}
        self._call({**metrics, "learning_rate": float(tf.convert_to_tensor(rate))})
