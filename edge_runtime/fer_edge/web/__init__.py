"""The live page and its API, by HTTP: `docs/preview.md` describes it. Needs the extra `web`."""

from __future__ import annotations

import importlib.util

from fer_edge.errors import UsageError


def require() -> None:
    """Look whether what the page needs is installed. Raises `UsageError` where it is not."""
    if importlib.util.find_spec("aiohttp") is None:
        raise UsageError("the page needs its extra: pip install 'fer-edge[web]'")
