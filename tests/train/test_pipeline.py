from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_edge import preprocessing
from fer_edge.box import Box
from fer_edge.metadata import InputSpec
from fer_train import datasets, pipeline
from fer_train.datasets import Split
from fer_train.keras_setup import tf
from fer_train.settings import FitSettings

Batch = tuple[npt.NDArray[Any], ...]


def spec(size: int, channels: Literal[1, 3], scale: float = 1 / 127.5, offset: float = -1.0) -> InputSpec:
    return InputSpec(
        height=size,
        width=size,
        channels=channels,
        color="gray" if channels == 1 else "rgb",
        scale=scale,
        offset=offset,
        face_size=48 if size > 48 else None,
    )


def through_the_pipeline(split: Split, wanted: InputSpec) -> npt.NDArray[np.float32]:
    return np.concatenate([inputs.numpy() for inputs, _ in pipeline.batches(split, wanted, 10)])


@pytest.mark.parametrize("size", [48, 96])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("scale", "offset"), [(1 / 127.5, -1.0), (1 / 255, 0.0)])
def test_training_sees_what_the_device_sees(
    size: int, channels: Literal[1, 3], scale: float, offset: float, mini_faces: dict[str, tuple[Any, Any]]
) -> None:
    wanted = spec(size, channels, scale, offset)
    faces, labels = mini_faces["public"]
    trained_on = through_the_pipeline(Split(tuple(faces), labels), wanted)
    on_the_device = preprocessing.to_input(np.stack([preprocessing.fit_face(face, wanted) for face in faces]), wanted)
    assert trained_on.shape == on_the_device.shape == (84, size, size, channels)
    assert trained_on.dtype == on_the_device.dtype == np.float32
    assert np.abs(trained_on - on_the_device).max() < 1e-5
    # And both are what the specification says, by arithmetic of another kind.
    plain = (
        np.stack([cv2.resize(face, (size, size), interpolation=cv2.INTER_LINEAR) for face in faces]) * scale + offset
    )
    assert np.abs(trained_on - plain[..., np.newaxis]).max() < 1e-5


@pytest.mark.parametrize("size", [48, 96])
@pytest.mark.parametrize("box", [Box(170, 70, 120, 120), Box(160, 60, 171, 150), Box(200, 100, 40, 40)])
def test_a_face_in_a_picture_is_seen_alike(size: int, box: Box, shared_data: Callable[[str], Path]) -> None:
    picture = cv2.imread(str(shared_data("photos/skimage_astronaut.png")))
    gray, wanted = preprocessing.to_gray(np.asarray(picture, np.uint8)), spec(size, 3)
    cropped = gray[box.y : box.y + box.height, box.x : box.x + box.width]
    trained_on = through_the_pipeline(Split((cropped,), np.zeros(1, np.int64)), wanted)
    on_the_device = preprocessing.to_input(preprocessing.face_pixels(gray, box, wanted)[np.newaxis], wanted)
    assert np.abs(trained_on - on_the_device).max() < 1e-5
    assert np.ptp(trained_on) > 0.5


def numbered(number: int) -> Split:
    """Give faces of one grey level each, which is their number and their label."""
    return Split(
        tuple(np.full((48, 48), label, np.uint8) for label in range(number)), np.arange(number, dtype=np.int64)
    )


def test_faces_are_judged_in_the_order_of_the_split() -> None:
    found = pipeline.batches(numbered(50), spec(48, 3), 16)
    assert [labels.numpy().tolist() for _, labels in found] == [
        [*range(16)],
        [*range(16, 32)],
        [*range(32, 48)],
        [48, 49],
    ]


def test_labels_become_targets_where_classes_are_told() -> None:
    split = Split(numbered(3).faces, np.asarray([2, 0, 1]))
    ((_, found),) = pipeline.batches(split, spec(48, 1), 16, 4)
    assert found.numpy().tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0]]


def settings(**changes: Any) -> FitSettings:
    chosen: dict[str, Any] = {"data": "", "arch": "cnn-1", "input_size": 16, "augment": "none", "epochs": 3}
    return FitSettings(**{**chosen, "batch_size": 16, "schedule": "constant", **changes})


def trained(
    split: Split, classes: int, epochs: range = range(1), size: int = 16, **how: Any
) -> tuple[list[Batch], int]:
    """Give the batches of some epochs, and how many make an epoch."""
    extra = {name: how.pop(name) for name in ("teach", "worker") if name in how}
    chosen, wanted = settings(**how), spec(size, 1, scale=1.0, offset=0.0)
    found = pipeline.training(split, wanted, chosen, classes, epochs=epochs, **extra)
    return [tuple(part.numpy() for part in batch) for batch in found], pipeline.steps(split, chosen)


def assert_equal(some: list[Batch], others: list[Batch]) -> None:
    for one, other in zip(some, others, strict=True):
        for part, other_part in zip(one, other, strict=True):
            np.testing.assert_array_equal(part, other_part)


def levels(batches: list[Batch]) -> list[int]:
    """Give the grey levels of faces of one level, in their order."""
    return [int(face[0, 0, 0]) for inputs, *_ in batches for face in inputs]


def test_an_epoch_shows_every_face_once_with_its_label() -> None:
    batches, steps = trained(numbered(50), 50)
    assert [inputs.shape for inputs, _ in batches] == [*[(16, 16, 16, 1)] * 3, (2, 16, 16, 1)]
    assert steps == 4
    assert sorted(levels(batches)) == list(range(50))
    for inputs, targets in batches:
        assert (inputs.dtype, targets.dtype) == (np.float32, np.float32)
        np.testing.assert_array_equal(np.eye(50)[inputs[:, 0, 0, 0].astype(int)], targets)


def test_the_order_is_new_each_epoch_and_the_seeds() -> None:
    batches, steps = trained(numbered(50), 50, range(2))
    first, second = levels(batches[:steps]), levels(batches[steps:])
    assert sorted(first) == sorted(second) == list(range(50))
    assert len({tuple(first), tuple(second), tuple(range(50))}) == 3
    assert levels(trained(numbered(50), 50, range(2))[0]) == first + second
    assert levels(trained(numbered(50), 50, seed=2)[0]) != first


@pytest.fixture(scope="module")
def small(mini_faces: dict[str, tuple[Any, Any]]) -> Split:
    """Give 50 faces, of which the first class has one more than the others."""
    faces, labels = mini_faces["public"]
    return Split(tuple(faces[:50]), labels[:50])


def test_an_epoch_is_the_same_wherever_the_dataset_starts(small: Split) -> None:
    hard = {"augment": "strong", "balance": "oversample"}
    whole, steps = trained(small, 7, range(3), **hard)
    assert (steps, len(whole)) == (4, 12)
    assert_equal(whole[2 * steps :], trained(small, 7, range(2, 3), **hard)[0])
    # All that is random was at work, or there would be nothing to repeat.
    assert not np.array_equal(whole[0][0], whole[steps][0])
    assert any(np.any((targets > 0) & (targets < 1)) for _, targets in whole)


def test_oversampling_shows_rare_classes_as_often() -> None:
    split = Split(numbered(7).faces, np.asarray([0, 0, 0, 0, 1, 1, 2]))
    batches, steps = trained(split, 3, balance="oversample")
    assert steps == 1
    assert sorted(levels(batches)) == [0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6]
    assert np.concatenate([targets for _, targets in batches]).sum(axis=0).tolist() == [4, 4, 4]


def test_each_face_weighs_as_its_class() -> None:
    split = Split(numbered(7).faces, np.asarray([0, 0, 0, 0, 1, 1, 2]))
    ((inputs, targets, weights),) = trained(split, 3, balance="class-weight")[0]
    expected = np.asarray([7 / 12, 7 / 6, 7 / 3], np.float32)
    np.testing.assert_allclose(weights, expected[targets.argmax(axis=1)], rtol=1e-6)
    assert weights.sum() == pytest.approx(7)
    np.testing.assert_array_equal(split.labels[inputs[:, 0, 0, 0].astype(int)], targets.argmax(axis=1))


def test_shares_of_annotators_are_the_targets() -> None:
    shares = np.asarray([[0.5, 0.5, 0], [0, 0.25, 0.75], [1, 0, 0], [0.2, 0.3, 0.5]], np.float32)
    split = replace(numbered(4), labels=shares.argmax(axis=1), targets=shares)
    ((inputs, targets),) = trained(split, 3)[0]
    np.testing.assert_array_equal(targets, shares[inputs[:, 0, 0, 0].astype(int)])
    ((_, judged),) = pipeline.batches(split, spec(48, 1), 16, 3)
    np.testing.assert_array_equal(judged.numpy(), shares)
    # A face between two classes weighs between them.
    ((inputs, targets, weights),) = trained(split, 3, balance="class-weight")[0]
    of_a_class = np.asarray([4 / 4, 0, 4 / 4], np.float32)
    np.testing.assert_allclose(weights, targets @ of_a_class, rtol=1e-6)


def test_two_workers_share_the_batches_of_one(small: Split) -> None:
    alone, _ = trained(small, 7, range(2))
    parts = [trained(small, 7, range(2), worker=(number, 2))[0] for number in range(2)]
    assert [len(first[0]) for first in parts[0]] == [8, 8, 8, 1] * 2
    for (inputs, targets), (first, of_first), (second, of_second) in zip(alone, *parts, strict=True):
        together, wanted = np.empty_like(inputs), np.empty_like(targets)
        together[0::2], together[1::2] = first, second
        wanted[0::2], wanted[1::2] = of_first, of_second
        np.testing.assert_array_equal(together, inputs)
        np.testing.assert_array_equal(wanted, targets)


def test_a_last_batch_without_a_face_for_each_worker_is_left_out(small: Split) -> None:
    odd = small.take(np.arange(49))
    assert [pipeline.steps(odd, settings(), workers) for workers in (1, 2)] == [4, 3]
    for number in range(2):
        part, _ = trained(odd, 7, range(2), worker=(number, 2))
        assert [len(inputs) for inputs, _ in part] == [8, 8, 8] * 2


def test_workers_augment_differently(small: Split) -> None:
    same = Split((small.faces[0],) * 32, np.zeros(32, np.int64))
    first, second = (trained(same, 7, worker=(number, 2), augment="light")[0][0][0] for number in range(2))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("where", ["on disk", "beyond the memory"])
def test_faces_that_do_not_stay_in_memory_give_the_same_batches(
    where: str, mini_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory = datasets.load(mini_folders)
    other = datasets.load(mini_folders, memory=1) if where == "on disk" else in_memory
    assert other.split("train").on_disk == (where == "on disk")
    wanted, how = spec(96, 1), {"augment": "light", "batch_size": 32, "size": 32}
    expected = trained(in_memory.split("train"), 7, range(2), **how)[0]
    to_judge = through_the_pipeline(in_memory.split("test"), wanted)
    if where == "beyond the memory":
        monkeypatch.setattr(pipeline, "MEMORY", 1)
    assert_equal(expected, trained(other.split("train"), 7, range(2), **how)[0])
    np.testing.assert_array_equal(to_judge, through_the_pipeline(other.split("test"), wanted))


def test_the_pipeline_augments_before_it_scales(small: Split) -> None:
    wanted = spec(48, 3)
    found = pipeline.training(small, wanted, settings(augment="standard", batch_size=50), 7, epochs=range(1))
    inputs = next(iter(found))[0].numpy()
    assert inputs.shape == (50, 48, 48, 3)
    assert inputs.min() >= -1.00001
    assert inputs.max() <= 1.00001
    np.testing.assert_array_equal(inputs[..., 0], inputs[..., 2])
    plain = next(iter(pipeline.training(small, wanted, settings(batch_size=50), 7, epochs=range(1))))[0].numpy()
    assert np.abs(inputs - plain).mean() > 0.02


def test_a_teacher_sees_the_pixels_that_the_student_sees(small: Split) -> None:
    def teach(pixels: Any, targets: Any) -> Any:
        return tf.concat([targets, tf.reduce_mean(pixels, axis=(1, 2))], axis=-1)

    for inputs, taught in trained(small, 7, augment="strong", teach=teach)[0]:
        assert taught.shape == (len(inputs), 8)
        np.testing.assert_allclose(taught[:, 7], inputs.mean(axis=(1, 2, 3)), rtol=1e-4)
