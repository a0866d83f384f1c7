"""From a split of faces to batches for Keras, holding to the device's preprocessing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_edge import preprocessing
from fer_edge.errors import DataError
from fer_edge.metadata import InputSpec
from fer_train import augmentation, balance, corrupting
from fer_train.datasets import Split
from fer_train.keras_setup import tf
from fer_train.randomness import Generators
from fer_train.settings import FitSettings

# Faces at the model's size are kept in memory up to this many bytes, and made again in every epoch beyond it.
MEMORY = 2**31


def fitted(split: Split, spec: InputSpec) -> preprocessing.Pixels:
    """Bring all faces of a split to the model's size by the device's own code: [N, height, width] uint8."""
    return np.stack([preprocessing.fit_face(face, spec) for face in split.faces])


def scale(pixels: Any, spec: InputSpec) -> Any:
    """Scale a float32 tensor [N, H, W, 1] of 0..255 to the model's input [N, H, W, channels].

    The graph's counterpart of `preprocessing.to_input`; a test holds the two equal.
    """
    return tf.repeat(pixels * spec.scale + spec.offset, spec.channels, axis=-1)


def targets(split: Split, classes: int) -> npt.NDArray[np.float32]:
    """Give [N, classes] float32 shares of each class: the annotators' or one for the label."""
    if split.targets is not None:
        return split.targets
    return np.eye(classes, dtype=np.float32)[split.labels]


def batches(split: Split, spec: InputSpec, batch_size: int, classes: int | None = None) -> Any:
    """Build a `tf.data.Dataset` of all faces in order, for judging a model.

    Args:
        split: Faces and labels.
        spec: The model's input.
        batch_size: Faces a batch; the last may be smaller.
        classes: Their number, for targets in place of labels.

    Returns:
        Batches of inputs [B, H, W, C] float32, and of labels [B] int64 or targets [B, classes] float32.
    """
    read, wanted = _reader(split, spec), tf.constant(split.labels if classes is None else targets(split, classes))
    numbers = tf.data.Dataset.range(len(split)).batch(batch_size)
    pixels = numbers.map(lambda chosen: (read(chosen), tf.gather(wanted, chosen)), tf.data.AUTOTUNE)
    return pixels.map(lambda faces, wanted: (scale(faces, spec), wanted)).prefetch(tf.data.AUTOTUNE)


def steps(split: Split, settings: FitSettings, workers: int = 1) -> int:
    """Give the number of batches of an epoch; a last one that is too small for all workers is left out."""
    whole, rest = divmod(len(balance.order(split.labels, settings.balance)), settings.batch_size)
    return whole + (rest >= workers)


def training(
    split: Split,
    spec: InputSpec,
    settings: FitSettings,
    classes: int,
    *,
    epochs: range,
    teach: Callable[[Any, Any], Any] | None = None,
    taught: npt.NDArray[np.float32] | None = None,
    worker: tuple[int, int] = (0, 1),
) -> Any:
    """Build a `tf.data.Dataset` of the batches of some epochs, one epoch after the other.

    Order, augmentation and mixing depend on the seed and on the numbers of epoch and step alone: a dataset that starts
    at epoch 7 gives what one that starts at 0 gives there.

    Args:
        split: Faces and labels.
        spec: The model's input.
        settings: Batch size, augmentation, balance and seed are taken from here.
        classes: Their number.
        epochs: Numbers from 0.
        teach: From augmented pixels [B, H, W, 1] of 0..255 and targets [B, classes] to the targets of the loss.
        taught: [N, classes] float32, what teachers said of each face beforehand; it stands beside its target.
        worker: Of several that share each batch, which, and how many they are.

    Returns:
        Batches of inputs [B, H, W, C] float32, targets [B, classes] float32, or twice as many, and weights [B] float32
        where classes are weighted.
    """
    beside = () if taught is None else (taught,)
    read, all_targets = _reader(split, spec), tf.constant(np.concatenate([targets(split, classes), *beside], axis=1))
    shown = tf.constant(balance.order(split.labels, settings.balance))
    weights = balance.weights(split.labels, classes, settings.balance)
    augment = augmentation.layers(settings.augment, settings.seed)
    if augment is not None:
        augment.build([None, spec.height, spec.width, 1])
        generators = Generators(augment, settings.seed)
    in_epoch = steps(split, settings, worker[1])

    def batches_of(epoch: Any) -> Any:
        numbers = tf.random.experimental.stateless_shuffle(shown, seed=tf.stack([settings.seed, epoch]))
        numbered = tf.data.Dataset.from_tensor_slices(numbers).batch(settings.batch_size).take(in_epoch).enumerate()
        return numbered.map(lambda step, chosen: (epoch * in_epoch + step, chosen[worker[0] :: worker[1]]))

    def load(step: Any, chosen: Any) -> tuple[Any, Any, Any]:
        return step, read(chosen), tf.gather(all_targets, chosen)

    def change(step: Any, pixels: Any, wanted: Any) -> tuple[Any, ...]:
        place = step * worker[1] + worker[0]
        seed = tf.stack([tf.constant(settings.seed, tf.int64), 10 * place])
        if augment is not None:
            generators.place(place)
            pixels = augment(augmentation.move(pixels, settings.augment, seed + 6), training=True)
        if settings.augment == "camera":
            pixels = corrupting.corrupt(augmentation.erase(pixels, seed + 5), spec.face_size or spec.height, seed)
        if settings.augment == "strong":
            pixels, wanted = augmentation.mix(augmentation.erase(pixels, seed + 5), wanted, seed)
        inputs = scale(pixels, spec)
        lessons = wanted if teach is None else teach(pixels, wanted)
        return (
            (inputs, lessons) if weights is None else (inputs, lessons, tf.linalg.matvec(wanted[:, :classes], weights))
        )

    # Faces may be read side by side; changing them not: the layers' generators have a state, and parallel calls would
    # race for it.
    numbered = tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(batches_of)
    return numbered.map(load, tf.data.AUTOTUNE, deterministic=True).map(change).prefetch(tf.data.AUTOTUNE)


def _reader(split: Split, spec: InputSpec) -> Callable[[Any], Any]:
    """Give a function from numbers of faces [B] to pixels [B, H, W, 1] float32, within a bounded memory."""
    if not split.on_disk and len(split) * spec.height * spec.width <= MEMORY:
        faces = tf.constant(fitted(split, spec))
        return lambda chosen: tf.cast(tf.gather(faces, chosen), tf.float32)[..., tf.newaxis]

    def read(chosen: npt.NDArray[np.int64]) -> preprocessing.Pixels:
        return fitted(split.take(chosen), spec)

    def pixels(chosen: Any) -> Any:
        faces = tf.ensure_shape(tf.numpy_function(read, [chosen], tf.uint8), [None, spec.height, spec.width])
        return tf.cast(faces, tf.float32)[..., tf.newaxis]

    return pixels


@contextlib.contextmanager
def data_errors() -> Iterator[None]:
    """Raise `DataError` for a face that cannot be read any more, which TensorFlow wraps in an error of its own."""
    try:
        yield
    except tf.errors.OpError as error:
        _, found, reason = str(error.message).partition(f"{DataError.__name__}: ")
        if not found:
            raise
        raise DataError(reason.splitlines()[0]) from error
