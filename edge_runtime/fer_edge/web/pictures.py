"""Pictures that clients send: which kinds, how large, and how much work they may make."""

from __future__ import annotations

import re

import cv2

from fer_edge import images
from fer_edge.errors import SourceError
from fer_edge.preprocessing import Pixels
from fer_edge.sources._ffmpeg import LARGEST_FRAME

TYPES = ("image/jpeg", "image/png")
_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
# Each scan of a progressive JPEG goes through the whole picture. Cameras and programs write ten or so; a file of some
# kilobytes can have thousands, for minutes of work.
_MOST_SCANS = 64
_SCAN = b"\xff\xda"
# Segments with a length: all but stuffed bytes, TEM, RST, SOI and EOI. Those of a frame's header.
_SEGMENT = re.compile(rb"\xff+([\x02-\xcf\xda-\xfe])(..)", re.DOTALL)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MOST_SEGMENTS = 10_000


class TooLargeError(SourceError):
    """A picture with more pixels than are taken."""


def gray(content: bytes) -> Pixels:
    """Decode a JPEG or PNG as [H, W] grey uint8.

    Raises:
        TooLargeError: It has more than `LARGEST_FRAME` pixels.
        SourceError: It is neither, or cannot be decoded.
    """
    if not content.startswith((_JPEG, _PNG)):
        raise SourceError("the picture is neither JPEG nor PNG")
    width, height = _png_size(content) if content.startswith(_PNG) else _jpeg_size(content)
    if width * height > LARGEST_FRAME:
        raise TooLargeError(
            f"the picture has {width} x {height} pixels, more than {LARGEST_FRAME:,} in all: make it smaller"
        )
    if content.startswith(_JPEG) and content.count(_SCAN) > _MOST_SCANS:
        raise SourceError(f"the picture has more than {_MOST_SCANS} scans: save it anew")
    return images.decode(content, "the picture", cv2.IMREAD_GRAYSCALE)


def _png_size(content: bytes) -> tuple[int, int]:
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")


def _jpeg_size(content: bytes) -> tuple[int, int]:
    """Give the largest width and height that any header of a frame tells: decoders may go by a later one.

    Raises:
        SourceError: It has more segments than any camera or program writes.
    """
    width = height = place = 0
    for _ in range(_MOST_SEGMENTS):
        found = _SEGMENT.search(content, place)
        if found is None:
            return width, height
        if found[1][0] in _FRAMES:
            sides = content[found.end() + 1 : found.end() + 5]
            height, width = max(height, int.from_bytes(sides[:2], "big")), max(width, int.from_bytes(sides[2:], "big"))
        place = found.end() - 2 + max(2, int.from_bytes(found[2], "big"))
    raise SourceError(f"the picture has more than {_MOST_SEGMENTS:,} segments: save it anew")
