"""Lines of text files that may be anything."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from fer_edge.errors import DataError

# Characters; a row of FER2013 has 9,200 at most.
_LONGEST = 1 << 17


def whole_lines(path: Path, file: TextIO) -> Iterator[str]:
    """Give a file's lines; what has no line ends is not taken into memory as one.

    Raises:
        DataError: A line is longer than any of these files has.
    """
    for number in itertools.count(1):
        line = file.readline(_LONGEST)
        if not line:
            return
        if len(line) == _LONGEST:
            raise DataError(f"{path} is not a CSV text file: line {number} is longer than {_LONGEST:,} characters")
        yield line
