"""Pictures and videos, alone and through the loop."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.self_test import face
from mutating import damaged

PICTURE = cv2.cvtColor(np.pad(face(1, 60, 60), 20, "edge"), cv2.COLOR_GRAY2BGR)
KINDS = (".bmp", ".jpg", ".png", ".tif", ".webp")


def encoded(suffix: str, *parameters: int, picture: Any = PICTURE) -> bytes:
    return bytes(cv2.imencode(suffix, picture, parameters)[1])


def png(width: int, height: int, depth: int = 1) -> bytes:
    """Give a black picture in a thousandth of its bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer, row = zlib.compressobj(1), bytes(1 + (width * depth + 7) // 8)
    rows = b"".join(packer.compress(row * min(500, height - first)) for first in range(0, height, 500)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def jpeg_that_claims(width: int, height: int) -> bytes:
    content = bytearray(encoded(".jpg"))
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = struct.pack(">2H", height, width)
    return bytes(content)


BOMBS: dict[str, Callable[[], bytes]] = {
    "PNG of 30000 x 30000": lambda: png(30_000, 30_000),
    "PNG of 60000 x 60000": lambda: png(60_000, 60_000),
    "PNG of 8000 x 8000 with 16 bits": lambda: png(8_000, 8_000, 16),
    "JPEG of 60000 x 60000": lambda: jpeg_that_claims(60_000, 60_000),
    "JPEG of 8000 x 8000": lambda: jpeg_that_claims(8_000, 8_000),
    "WebP of 8000 x 8000": lambda: encoded(".webp", picture=np.zeros((8_000, 8_000), np.uint8)),
    "TIFF of 8000 x 8000": lambda: encoded(".tif", picture=np.zeros((8_000, 8_000), np.uint8)),
    "BMP of 30000 x 30000": lambda: (
        b"BM" + struct.pack("<3I", 100, 0, 54) + struct.pack("<3i2H6I", 40, 30_000, 30_000, 1, 24, *[0] * 6)
    ),
}
# Kinds that OpenCV decodes and that are no kind of ours.
OTHERS = {
    "PPM": lambda: b"P6 20000 20000 255\n" + bytes(99),
    "HDR": lambda: encoded(".hdr", picture=PICTURE.astype(np.float32)),
    "JPEG 2000": lambda: encoded(".jp2"),
    "Sun raster": lambda: encoded(".ras"),
}
SHAPES = [(1, 1), (1, 65_500), (65_500, 1), (2, 65_500), (65_500, 400), (400, 65_500), (5_700, 5_700)]


@pytest.mark.parametrize("case", BOMBS | OTHERS)
def test_pictures_that_claim_too_much_are_refused(case: str, readers: Any) -> None:
    verdict = readers.judge("picture", (BOMBS | OTHERS)[case](), "p.png")
    assert verdict["told"].startswith("told: ")
    assert int(verdict["bytes"]) < 64 << 20


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_pictures_of_any_shape_go_through_the_loop(
    shape: tuple[int, int], suffix: str, readers: Any, tmp_path: Path
) -> None:
    content = png(shape[1], shape[0], 8) if suffix == ".png" else encoded(suffix, picture=np.full(shape, 90, np.uint8))
    path = tmp_path / f"p{suffix}"
    path.write_bytes(content)
    assert readers.judge_file("folder", path)["told"] == "ok"


def test_damaged_pictures(readers: Any, search: Any) -> None:
    wholes = (*map(encoded, KINDS), encoded(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    assert {readers.judge("picture", one)["told"] for one in wholes} == {"ok"}
    search(damaged(wholes, places=(range(200),)), lambda case: readers.judge("picture", case), 150)


def test_damaged_pictures_in_a_folder(readers: Any, search: Any, tmp_path: Path) -> None:
    """A picture that is whole comes through whatever lies beside it."""
    (tmp_path / "a.jpg").write_bytes(encoded(".jpg"))

    def check(case: bytes) -> None:
        (tmp_path / "b.jpg").write_bytes(case)
        assert readers.judge_file("folder", tmp_path / "b.jpg")["told"] == "ok"

    search(damaged((encoded(".jpg"),), places=(range(700),)), check, 40)


def filmed(path: Path, code: str, side: int = 96, frames: int = 8) -> bytes:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 25, (side, side))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(
            np.roll(cv2.resize(PICTURE, (side, side)), number, 1)
            if side < 1000
            else np.zeros((side, side, 3), np.uint8)
        )
    writer.release()
    return path.read_bytes()


def test_damaged_videos(readers: Any, search: Any, tmp_path: Path) -> None:
    wholes = tuple(
        filmed(tmp_path / name, code)
        for name, code in (("a.avi", "MJPG"), ("b.mp4", "mp4v"), ("c.mkv", "mp4v"), ("d.avi", "XVID"))
    )
    assert {readers.judge("video", one)["told"] for one in wholes} == {"ok"}
    cases = damaged(wholes, places=(range(600), range(-900, 0)))
    search(cases, lambda case: readers.judge("video", case), 60)


@pytest.mark.parametrize(("name", "code", "side"), [("a.avi", "MJPG", 8_000), ("b.mp4", "mp4v", 6_000)])
def test_videos_with_frames_too_large_are_refused(
    name: str, code: str, side: int, readers: Any, tmp_path: Path
) -> None:
    path = tmp_path / name
    filmed(path, code, side, 2)
    verdict = readers.judge_file("video", path)
    assert f"has frames of {side} x {side} pixels, more than 16,777,216 in all" in verdict["told"]


@pytest.mark.parametrize(
    "content",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile film.mp4\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 26\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"></MPD>',
    ],
    ids=["HLS", "concat", "SDP", "DASH"],
)
def test_lists_of_other_files_are_no_videos(content: str, readers: Any, tmp_path: Path) -> None:
    filmed(tmp_path / "film.mp4", "mp4v")
    path = tmp_path / "list.m3u8"
    path.write_text(content.format(film=tmp_path / "film.mp4"))
    assert "is not a video" in readers.judge_file("video", path)["told"]
