"""Every setting of a training, as it is kept in the run folder."""

from __future__ import annotations

import msgspec

from fer_train.datasets import FerPlus

AUGMENTATIONS = ("none", "light", "standard", "camera", "strong")
BALANCES = ("none", "class-weight", "oversample")
MONITORS = ("accuracy", "macro-f1", "loss")
OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "step", "cosine", "plateau")
TEACHER_VIEWS = ("same", "clean")


class Distillation(msgspec.Struct, frozen=True, kw_only=True):
    """How a student learns from teachers (Hinton et al. 2015, arXiv:1503.02531).

    Attributes:
        teachers: Run folders, as given; their probabilities are averaged.
        temperature: Divides the scores of teacher and student before the softmax, at least 1.
        share: Weight of the teachers' targets, 0..1; the labels have the rest.
        view: What the teachers are shown: "same", what the student sees; "clean", the face as it is in the data and
            its mirror image, once for the whole training.
    """

    teachers: tuple[str, ...]
    temperature: float
    share: float
    view: str = "same"


class FitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of a training; the defaults are those of the command line too.

    Attributes:
        data: Path of the data set, as given.
        arch: Name of the architecture.
        input_size: Rows and columns of the model's input, pixels.
        channels: 1 or 3.
        alpha: Width multiplier of the architecture.
        weights: "imagenet", "none", or the path of an `.h5` file.
        start_from: Run folder of a model of this architecture whose weights the training starts with, None for none.
        head: Units of the dense layers before the softmax.
        dropout: Fraction of features dropped before the head.
        augment: Level of augmentation, of `AUGMENTATIONS`.
        epochs: Passes over the training split, both phases of a transfer together.
        batch_size: Faces a step.
        learning_rate: The optimizer's, at the start (of warm-up: at its end).
        schedule: Of `SCHEDULES`. "step" multiplies by `decay` every `decay_every` epochs; "cosine" warms up and falls
            to zero on half a cosine; "plateau" multiplies by `decay` after `decay_every` epochs without a gain.
        label_smoothing: Share of the target spread over all classes.
        seed: Of weights, order, augmentation and dropout.
        l2: Weight of the L2 penalty on kernels.
        batch_norm: Batch normalization, for architectures that have it by choice.
        labels: The expressions trained on, None for all of the data.
        drop_duplicates: Whether what occurs in other splits was left out of training.
        ferplus: "none", or how FER+ votes replaced the labels: "majority", "soft".
        split_seed: Of a split that had to be made.
        balance: Of `BALANCES`.
        optimizer: Of `OPTIMIZERS`.
        weight_decay: Of AdamW and SGD, decoupled from the loss.
        decay: See `schedule`.
        decay_every: See `schedule`, epochs.
        warm_up: Epochs in which "cosine" rises from zero.
        monitor: What chooses the best epoch, stops early and finds a plateau, on the selection split; of `MONITORS`.
        patience: Epochs without a gain after which training stops, 0 for never.
        freeze_epochs: Epochs at the start in which the backbone stands still.
        fine_tune_from: First block of the backbone that is trained afterwards, None for all of them.
        fine_tune_learning_rate: The learning rate afterwards, None for the same.
        mixed_precision: Whether products were computed in bfloat16.
        distillation: Teachers, None for labels alone.
        calibrate: Whether a temperature was put into the last layer at the end; what it did is in `RunInfo.confidence`.
    """

    data: str
    arch: str
    input_size: int = 96
    channels: int = 1
    alpha: float = 1.0
    weights: str = "none"
    head: tuple[int, ...] = (128, 64)
    dropout: float = 0.0
    augment: str = "light"
    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    schedule: str = "cosine"
    label_smoothing: float = 0.0
    seed: int = 1
    l2: float = 0.0
    batch_norm: bool = False
    labels: tuple[str, ...] | None = None
    drop_duplicates: bool = False
    ferplus: FerPlus = "none"
    split_seed: int = 1
    balance: str = "none"
    optimizer: str = "adam"
    weight_decay: float = 0.0
    decay: float = 0.1
    decay_every: int = 10
    warm_up: int = 1
    monitor: str = "accuracy"
    patience: int = 0
    freeze_epochs: int = 0
    fine_tune_from: str | None = None
    fine_tune_learning_rate: float | None = None
    mixed_precision: bool = False
    distillation: Distillation | None = None
    start_from: str | None = None
    calibrate: bool = True

    def differences(self, other: FitSettings) -> list[str]:
        """Name what is different in other settings, but for the path of the data: `seed was 1 and is 2`."""
        return [
            f"{name} was {getattr(self, name)} and is {getattr(other, name)}"
            for name in self.__struct_fields__
            if name != "data" and getattr(self, name) != getattr(other, name)
        ]
