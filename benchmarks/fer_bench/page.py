"""A result as one HTML page that needs nothing beside it, for a browser, a phone or paper."""

from __future__ import annotations

from importlib.util import find_spec

from fer_bench.results import Result
from fer_edge.errors import FerError

_PACKAGES = ("jinja2", "matplotlib")


def check() -> None:
    """Find out early that no page can be written; loads nothing.

    Raises:
        FerError: The report extra is not installed.
    """
    if any(find_spec(package) is None for package in _PACKAGES):
        raise FerError("--html needs the report extra: pip install 'fer-edge[report]'")


def write(result: Result) -> bytes:
    """Write the page.

    Args:
        result: What was measured; what it lacks is left out or said to be absent.

    Returns:
        HTML in UTF-8.

    Raises:
        FerError: The report extra is not installed.
    """
    check()
    # Behind the check: these load the packages of the extra, which a device does not have.
    from fer_bench import page_conditions, page_sections
    from fer_train.judging.page import page

    return page(page_sections.title(result), page_sections.make(result), page_conditions.lead(result), wide=True)
