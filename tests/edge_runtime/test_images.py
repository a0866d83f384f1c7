from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import FerError, SourceError
from fer_edge.images import SUFFIXES, read_color, read_gray

# Left half blue, right half white (BGR), 40 x 20.
PICTURE = np.full((20, 40, 3), 255, np.uint8)
PICTURE[:, :20] = (255, 0, 0)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_decodes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    assert cv2.imwrite(str(path), PICTURE)
    image = read_color(path)
    assert (image.shape, image.dtype) == ((20, 40, 3), np.uint8)
    # JPEG and WebP lose a little.
    np.testing.assert_allclose(image[10, 5].astype(int), (255, 0, 0), atol=6)
    gray = read_gray(path)
    assert (gray.shape, gray.dtype) == ((20, 40), np.uint8)
    assert (int(gray[10, 5]), int(gray[10, 35])) == (pytest.approx(29, abs=4), pytest.approx(255, abs=4))


@pytest.mark.parametrize("depth", ["grey", "alpha", "16 bit"])
def test_other_depths_become_colour(tmp_path: Path, depth: str) -> None:
    path = tmp_path / "picture.png"
    picture = {
        "grey": np.full((5, 6), 200, np.uint8),
        "alpha": np.full((5, 6, 4), 200, np.uint8),
        "16 bit": np.full((5, 6, 3), 200 * 257, np.uint16),
    }[depth]
    assert cv2.imwrite(str(path), picture)
    np.testing.assert_array_equal(read_color(path), np.full((5, 6, 3), 200, np.uint8))


@pytest.mark.parametrize(("orientation", "blue_at"), [(1, "left"), (3, "right"), (6, "top"), (8, "bottom")])
def test_a_turned_photograph_is_put_upright(tmp_path: Path, orientation: int, blue_at: str) -> None:
    jpeg = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    # TIFF header, little endian; one entry: tag 0x112 (orientation), a short.
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + bytes(4)
    exif = b"Exif\0\0" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:])
    image, gray = read_color(path), read_gray(path)
    lies = orientation in (1, 3)
    assert image.shape[:2] == gray.shape == ((20, 40) if lies else (40, 20))
    ends = {"left": (10, 5), "right": (10, 35)} if lies else {"top": (5, 10), "bottom": (35, 10)}
    assert [end for end, place in ends.items() if image[place][2] < 50] == [blue_at]
    assert [end for end, place in ends.items() if gray[place] < 80] == [blue_at]


@pytest.mark.parametrize("name", ["photos/obama.jpg", "photos/skimage_astronaut.png", "photos/coral_grace_hopper.bmp"])
@pytest.mark.parametrize("kept", [0.001, 0.3, 0.95])
def test_truncated_pictures(tmp_path: Path, shared_data: Callable[[str], Path], name: str, kept: float) -> None:
    if name.endswith("jpg") and cv2.__version__.startswith("4.6."):
        pytest.skip("OpenCV 4.6, Bookworm's, paints grey what is cut off a JPEG")
    whole = shared_data(name).read_bytes()
    path = tmp_path / Path(name).name
    path.write_bytes(whole[: int(len(whole) * kept)])
    for read in (read_color, read_gray):
        with pytest.raises(SourceError) as caught:
            read(path)
        assert str(caught.value) == f"{path} is not an image that can be decoded, or is cut off"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read image {path}: No such file or directory"),
        (b"", "image {path} is empty"),
        (b"hello\n", "{path} is not an image that can be decoded, or is cut off"),
        (b"\x89PNG\r\n\x1a\n", "{path} is not an image that can be decoded, or is cut off"),
    ],
)
def test_what_is_no_picture(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "picture.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FerError) as caught:
        read_color(path)
    assert str(caught.value) == message.format(path=path)


def test_a_picture_beyond_opencvs_limit(tmp_path: Path) -> None:
    # A PNG header that promises 100,000 x 100,000 pixels; OpenCV's limit is 2 ** 30.
    small = cv2.imencode(".png", PICTURE)[1].tobytes()
    path = tmp_path / "huge.png"
    header = b"IHDR" + (100_000).to_bytes(4, "big") * 2 + small[24:29]
    path.write_bytes(small[:12] + header + _crc(header) + small[33:])
    with pytest.raises(SourceError) as caught:
        read_color(path)
    assert str(caught.value).startswith(f"{path} ")
    assert "\n" not in str(caught.value)


def _crc(chunk: bytes) -> bytes:
    return zlib.crc32(chunk).to_bytes(4, "big")
