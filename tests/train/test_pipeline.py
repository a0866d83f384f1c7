from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_edge import preprocessing
from fer_edge.box import Box
from fer_edge.metadata import InputSpec
from fer_train import augmentation, pipeline, run_folder
from fer_train.datasets import Split


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


def order(split: Split, seed: int | None, epochs: int = 1) -> list[list[int]]:
    found = pipeline.batches(split, spec(48, 1), 16, shuffle_seed=seed)
    return [np.concatenate([labels.numpy() for _, labels in found]).tolist() for _ in range(epochs)]


def numbered(number: int) -> Split:
    return Split(
        tuple(np.full((48, 48), label, np.uint8) for label in range(number)), np.arange(number, dtype=np.int64)
    )


def test_without_a_seed_the_order_is_the_splits() -> None:
    assert order(numbered(50), None, epochs=2) == [list(range(50))] * 2


def test_shuffling_is_complete_seeded_and_new_each_epoch() -> None:
    first, second = order(numbered(50), 1, epochs=2)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != list(range(50))
    assert first != second
    assert order(numbered(50), 1, epochs=2) == [first, second]
    assert order(numbered(50), 2)[0] != first


def test_faces_stay_with_their_labels() -> None:
    for inputs, labels in pipeline.batches(numbered(50), spec(48, 1, scale=1.0, offset=0.0), 16, shuffle_seed=1):
        np.testing.assert_array_equal(inputs.numpy()[:, 0, 0, 0], labels.numpy())


def test_the_last_batch_may_be_smaller() -> None:
    assert [len(labels) for _, labels in pipeline.batches(numbered(50), spec(48, 3), 16)] == [16, 16, 16, 2]


def test_no_augmentation_is_none() -> None:
    assert augmentation.layers("none", 1) is None


@pytest.mark.parametrize("level", [level for level in run_folder.AUGMENTATIONS if level != "none"])
def test_augmentation_changes_faces_within_their_range(mini_faces: dict[str, tuple[Any, Any]], level: str) -> None:
    faces = mini_faces["public"][0].astype(np.float32)[..., np.newaxis]
    changed = augmentation.layers(level, 1)(faces, training=True).numpy()
    assert changed.shape == faces.shape
    assert changed.dtype == np.float32
    assert changed.min() >= -1e-3
    assert changed.max() <= 255.001
    moved = np.abs(changed - faces).mean(axis=(1, 2, 3))
    # Nearly all faces: an unlucky few may turn, move and grow by next to nothing.
    assert np.mean(moved > 2) > 0.9
    # What comes out is still the face, as it is or mirrored.
    likeness = [
        max(np.corrcoef(a.ravel(), b.ravel())[0, 1] for b in (face, face[:, ::-1]))
        for a, face in zip(changed, faces, strict=True)
    ]
    assert np.median(likeness) > {"light": 0.6, "standard": 0.4}[level]


def test_augmentation_is_for_training_only(mini_faces: dict[str, tuple[Any, Any]]) -> None:
    faces = mini_faces["public"][0].astype(np.float32)[..., np.newaxis]
    layers = augmentation.layers("light", 1)
    np.testing.assert_array_equal(layers(faces, training=False).numpy(), faces)
    assert not np.array_equal(layers(faces, training=True).numpy(), layers(faces, training=True).numpy())


def test_the_pipeline_augments_before_it_scales(mini_faces: dict[str, tuple[Any, Any]]) -> None:
    faces, labels = mini_faces["public"]
    augment, wanted = augmentation.layers("light", 1), spec(48, 3)
    batches = pipeline.batches(Split(tuple(faces), labels), wanted, 84, augment=augment)
    inputs = next(iter(batches))[0].numpy()
    plain = through_the_pipeline(Split(tuple(faces), labels), wanted)
    assert inputs.shape == plain.shape
    assert inputs.min() >= -1.00001
    assert inputs.max() <= 1.00001
    assert np.abs(inputs - plain).mean() > 0.02
    np.testing.assert_array_equal(inputs[..., 0], inputs[..., 2])
