"""Which release this is."""

from __future__ import annotations

import importlib.metadata


def version() -> str:
    """Give the version of the installed fer-edge; "unknown" where it runs from a checkout."""
    try:
        return importlib.metadata.version("fer-edge")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
