"""TFLite's releases, by TensorFlow's numbers: the one scale on which interpreters and models are compared.

A model needs the release that brought its newest operator. `tflite-runtime` and TensorFlow carry the number of their
release. LiteRT counts for itself, and is built from TensorFlow's development branch: LiteRT 2.3.0 calls the TensorFlow
inside it 2.22.0-dev. What was branched off before, here 2.21, it has in full; of 2.22 only a part. So each LiteRT
stands for the release before the one that it names, and so does a nightly build of TensorFlow.
"""

from __future__ import annotations

import re

# First LiteRT release, and the TFLite release that it has in full. From 1.4 on by what the wheels call themselves
# (1.4: 2.20.0-dev, 2.0 and 2.1: 2.21.0-dev, 2.2 and 2.3: 2.22.0-dev). Before, they say nothing; they know version 13 of
# FULLY_CONNECTED, which 2.18 brought, and 1.0 came out a month before 2.18.
_LITERT = (
    ((2, 2), "2.21.0"),
    ((2, 0), "2.20.0"),
    ((1, 4), "2.19.0"),
    ((1, 1), "2.18.0"),
    ((0,), "2.17.0"),
)
# What every LiteRT has.
FIRST_LITERT = _LITERT[-1][1]


def numbers(release: str) -> tuple[int, ...]:
    """Give the numbers that a release starts with, for comparing: "2.14.0" is (2, 14, 0), "2.9.0rc1" is (2, 9, 0)."""
    start = re.match(r"\d+(\.\d+)*", release)
    return tuple(int(number) for number in start[0].split(".")) if start else ()


def of_litert(version: str) -> str:
    """Give the newest TFLite release that a LiteRT has in full; a LiteRT newer than this module counts as its last."""
    return next(release for first, release in _LITERT if numbers(version) >= first)


def of_tensorflow(version: str) -> str:
    """Give the newest TFLite release that a TensorFlow has in full; a nightly has a part of its own."""
    first, *rest = numbers(version) or (0,)
    return f"{first}.{rest[0] - 1}.0" if "dev" in version and rest and rest[0] else version


def older(first: str, second: str) -> bool:
    """Tell whether one release is older than another; "2.3" and "2.3.0" are the same."""
    left, right = numbers(first), numbers(second)
    length = max(len(left), len(right))
    return left + (0,) * (length - len(left)) < right + (0,) * (length - len(right))
