"""Damage for bytes and for text, drawn by hypothesis, so that a failure shrinks to the least damage that shows it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

# What readers trip over: signs, ends of ranges, sizes of gigabytes; both byte orders.
WORDS = tuple(
    number.to_bytes(4, order)
    for order in ("little", "big")
    for number in (0, 1, 0x7F, 0xFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
)
NUMBERS = (
    b"-1",
    b"0",
    b"1e999",
    b"nan",
    b"-0",
    b"4294967296",
    b"2147483647",
    b"9" * 40,
    b"9" * 5000,
    b"1_0",
    b"\xd9\xa3",
)


@st.composite
def damaged(draw: st.DrawFn, wholes: Sequence[bytes], places: Sequence[range] = (), text: bool = False) -> bytes:
    """Give one of some files with bits flipped, numbers replaced, parts cut, repeated, moved or taken from another.

    Args:
        draw: Of hypothesis.
        wholes: Files that are read without an error.
        places: Where damage goes as often as anywhere else: headers and structure. Ends below 0 count from the end.
        text: Whether numbers are written in digits.
    """
    content = bytearray(draw(st.sampled_from(wholes)))
    for _ in range(draw(st.sampled_from((1, 1, 1, 2, 4, 12)))):
        if not content:
            break
        size = len(content)
        span = draw(st.sampled_from((range(size), *(range(*one.indices(size)) for one in _absolute(places, size)))))
        place = span[draw(st.integers(0, len(span) - 1))] if len(span) else 0
        length = draw(st.sampled_from((1, 2, 4, 16, 200)))
        match draw(st.integers(0, 7)):
            case 0:
                content[place] ^= 1 << draw(st.integers(0, 7))
            case 1:
                content[place] = draw(st.integers(0, 255))
            case 2 if text:
                content[place : place + length] = draw(st.sampled_from(NUMBERS))
            case 2:
                content[place : place + 4] = draw(st.sampled_from(WORDS))
            case 3:
                del content[place:]
            case 4:
                del content[place : place + length]
            case 5:
                content[place:place] = content[place : place + length] * draw(st.sampled_from((1, 3, 300)))
            case 6:
                other = draw(st.sampled_from(wholes))
                start = draw(st.integers(0, len(other) - 1))
                content[place : place + length] = other[start : start + length]
            case _:
                content[place:place] = draw(st.binary(max_size=24))
    return bytes(content)


def _absolute(places: Sequence[range], size: int) -> list[slice]:
    return [slice(max(-size, one.start), one.stop if one.stop else size) for one in places]
