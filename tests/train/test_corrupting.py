from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fer_train import corrupting
from fer_train.keras_setup import tf

Floats = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def faces(mini_faces: dict[str, tuple[Any, Any]]) -> Floats:
    return mini_faces["public"][0].astype(np.float32)[..., np.newaxis]


def seeded(first: int = 1) -> Any:
    return tf.constant([first, 2], tf.int64)


def corrupted(faces: Floats, side: int = 48, seed: int = 1) -> Floats:
    found: Floats = corrupting.corrupt(tf.constant(faces), side, seeded(seed)).numpy()
    return found


def detail(faces: Floats) -> Floats:
    """How much neighbours differ, on average, a face."""
    return np.abs(np.diff(faces[..., 0], axis=2)).mean(axis=(1, 2))


def test_some_faces_stay_as_they_are_and_all_stay_pictures(faces: Floats) -> None:
    changed = corrupted(faces)
    assert (changed.shape, changed.dtype) == (faces.shape, np.float32)
    assert changed.min() >= 0
    assert changed.max() <= 255.01
    same = np.abs(changed - faces).max(axis=(1, 2, 3)) == 0
    # 0.85^3 x 0.8 x 5/6 = 0.41 of some 200.
    assert 0.28 < same.mean() < 0.54
    np.testing.assert_array_equal(changed, corrupted(faces))
    assert not np.array_equal(changed, corrupted(faces, seed=2))


def test_faces_that_were_enlarged_are_spoilt_at_their_own_size(faces: Floats) -> None:
    large = np.stack([cv2.resize(face, (96, 96)) for face in faces])[..., np.newaxis]
    changed = corrupted(large)
    spoilt = np.abs(changed - large).max(axis=(1, 2, 3)) > 0
    assert 0.4 < spoilt.mean() < 0.75
    # Noise of single pixels at 96 would be what no camera's 48 pixels can show.
    few = np.stack([cv2.resize(face, (48, 48), interpolation=cv2.INTER_AREA) for face in changed[spoilt]])
    again = np.stack([cv2.resize(face, (96, 96)) for face in few])
    rest = np.abs(again - changed[spoilt][..., 0]).mean()
    assert rest < 0.35 * np.abs(changed[spoilt] - large[spoilt]).mean()


def test_blur_keeps_the_light_and_takes_detail(faces: Floats) -> None:
    blurred = corrupting._blur(tf.constant(faces), seeded()).numpy()
    np.testing.assert_allclose(blurred.mean(axis=(1, 2, 3)), faces.mean(axis=(1, 2, 3)), atol=4)
    assert np.all(detail(blurred) < detail(faces) + 1e-3)
    kernels = corrupting._kernels()
    np.testing.assert_allclose(kernels.sum(axis=(0, 1, 2)), 1, atol=1e-6)
    assert len(np.unique(kernels.reshape(49, -1), axis=1).T) == kernels.shape[-1]


def test_few_pixels_are_half_as_many(faces: Floats) -> None:
    few = corrupting._fewer(tf.constant(faces)).numpy()
    expected = [cv2.resize(cv2.resize(face, (24, 24), interpolation=cv2.INTER_AREA), (48, 48)) for face in faces]
    np.testing.assert_allclose(few[..., 0], expected, atol=0.01)


def test_little_light(faces: Floats) -> None:
    dark = corrupting._darken(tf.constant(faces), seeded()).numpy()
    bright = faces.max(axis=(1, 2, 3)) > 200
    left = (dark.max(axis=(1, 2, 3)) / faces.max(axis=(1, 2, 3)))[bright]
    assert 0.08 < left.min() < left.max() < 0.61


def test_noise_grows_with_the_light(faces: Floats) -> None:
    del faces

    def deviation(grey: float) -> float:
        flat = tf.fill([300, 24, 24, 1], grey)
        return float((corrupting._noise(flat, seeded()) - flat).numpy().std(axis=(1, 2, 3)).mean())

    assert 9 < deviation(30.0) < deviation(128.0) < 18


def test_jpeg_is_that_of_a_codec(faces: Floats, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corrupting, "_QUALITY", (20, 20))
    found = corrupting._compress(tf.constant(faces[:8]), seeded()).numpy()
    for face, compressed in zip(faces, found, strict=False):
        written = cv2.imencode(".jpg", face.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 20])[1]
        expected = cv2.imdecode(written, cv2.IMREAD_GRAYSCALE).astype(float)
        assert np.abs(compressed[..., 0] - expected).mean() < 1.5
        assert np.abs(compressed - face).mean() > 1


def test_a_batch_may_be_small(faces: Floats) -> None:
    for number in (1, 3):
        assert corrupted(faces[:number]).shape == (number, 48, 48, 1)
