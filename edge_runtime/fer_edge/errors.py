"""The errors that a user can cause, each told in one line.

    FerError                exit code 1: the work failed
    ├── UsageError          exit code 2: what was asked for cannot be meant
    ├── ModelError          the model file cannot be used
    ├── SourceError         the source of frames cannot be opened or read
    │   └── CameraLostError exit code 69: a camera did not come back
    └── DataError           a data set cannot be read

Every command turns a `FerError` into its message on stderr and its exit code (see `fer_edge.command`); any other
exception is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

import os


class FerError(Exception):
    """Base of all errors whose cause lies outside the program. The message says what, where and what to do."""

    exit_code = 1


class UsageError(FerError):
    """An option or argument that cannot be meant: a path that does not exist, a name that is not known."""

    exit_code = 2


class ModelError(FerError):
    """A model file that is missing parts, damaged, or not made for us."""


class SourceError(FerError):
    """A camera, video or picture that cannot be opened or read.

    Attributes:
        dropped: Frames that a camera gave since it was opened and that nobody took, up to its loss.
    """

    dropped = 0


class CameraLostError(SourceError):
    """A camera or stream that was lost and did not come back in time."""

    exit_code = os.EX_UNAVAILABLE  # of sysexits.h, 69: a new process may have more luck


class DataError(FerError):
    """A data set that cannot be read as it stands."""
