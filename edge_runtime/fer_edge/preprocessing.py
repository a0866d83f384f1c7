"""From a picture and a box to the model's input: the one way, for training, calibration, benchmarks and the device.

The steps are: grey (OpenCV's luma, BT.601), cut, resize to the size of the training faces, resize to the input's size,
repeat per channel, scale. All but the last work on uint8, so a quantised model's input is a table look-up away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from fer_edge.box import Box

if TYPE_CHECKING:
    from fer_edge.metadata import InputSpec

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


def to_gray(image: Pixels) -> Pixels:
    """Give the luma of a picture.

    Args:
        image: [H, W] grey, [H, W, 3] BGR or [H, W, 4] BGRA, uint8.

    Returns:
        [H, W] uint8; the same array where it is grey already.

    Raises:
        ValueError: Any other shape or type.
    """
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise ValueError(f"a picture is uint8 with 2 or 3 dimensions, not {image.dtype} {image.shape}")
    if image.ndim == 2:
        return image
    channels = image.shape[2]
    if channels == 1:
        return image[:, :, 0]
    if channels not in (3, 4):
        raise ValueError(f"a picture has 1, 3 or 4 channels, not {channels}")
    code = cv2.COLOR_BGR2GRAY if channels == 3 else cv2.COLOR_BGRA2GRAY
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def resize(face: Pixels, height: int, width: int) -> Pixels:
    """Resize a grey face: by area where it shrinks (no aliasing), bilinearly where it grows.

    Args:
        face: [H, W] uint8.
        height: Rows wanted.
        width: Columns wanted.

    Returns:
        [height, width] uint8.
    """
    if face.shape == (height, width):
        return face
    shrinks = face.shape[0] >= height and face.shape[1] >= width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(face, (width, height), interpolation=interpolation), np.uint8)


def standardize(face: Pixels, spec: InputSpec) -> Pixels:
    """Bring a cut-out grey face to the sharpness that the model was trained on; twice is the same as once.

    Args:
        face: [H, W] uint8, the face filling the picture.
        spec: The model's input.

    Returns:
        [spec.face_size, spec.face_size] uint8, or the input's height and width where `face_size` is absent.
    """
    return resize(face, spec.face_size or spec.height, spec.face_size or spec.width)


def fit_face(face: Pixels, spec: InputSpec) -> Pixels:
    """Bring a cut-out grey face to the model's height and width.

    Args:
        face: [H, W] uint8, the face filling the picture.
        spec: The model's input.

    Returns:
        [spec.height, spec.width] uint8.
    """
    return resize(standardize(face, spec), spec.height, spec.width)


def cut(gray: Pixels, box: Box, margin: float = 0.0) -> Pixels:
    """Cut a box out of a grey picture, widened by a margin and clipped to the picture.

    Args:
        gray: [H, W] uint8.
        box: The face, pixels.
        margin: Added to each side, as a fraction of that side.

    Returns:
        A view on `gray`, at least one pixel large.

    Raises:
        ValueError: The box lies outside the picture.
    """
    rows, columns = gray.shape
    dx, dy = round(box.width * margin), round(box.height * margin)
    left, right = max(0, box.x - dx), min(columns, box.x + box.width + dx)
    top, bottom = max(0, box.y - dy), min(rows, box.y + box.height + dy)
    if left >= right or top >= bottom:
        raise ValueError(f"{box} lies outside the picture of {columns} x {rows}")
    return gray[top:bottom, left:right]


def face_pixels(gray: Pixels, box: Box, spec: InputSpec) -> Pixels:
    """Cut a face and bring it to the model's size: what the device does before the classifier.

    Returns:
        [spec.height, spec.width] uint8.
    """
    return fit_face(cut(gray, box, spec.margin), spec)


def pixel_values(spec: InputSpec) -> Floats:
    """Give the model's input value for each grey level: [256] float32."""
    return (np.arange(256, dtype=np.float64) * spec.scale + spec.offset).astype(np.float32)


def to_input(faces: Pixels, spec: InputSpec) -> Floats:
    """Scale fitted faces to the model's float input.

    Args:
        faces: [N, spec.height, spec.width] uint8, from `fit_face`.
        spec: The model's input.

    Returns:
        [N, height, width, channels] float32.
    """
    return np.repeat(pixel_values(spec)[faces][..., np.newaxis], spec.channels, axis=-1)
