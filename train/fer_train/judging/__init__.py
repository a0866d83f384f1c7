"""Judging models: what they give for a split, how good that is, and a report that shows it.

`fer_bench` makes its page by `page`, on devices that have no more than the report extra. What only the workstation
extra brings is asked for by the module that needs it.
"""

from __future__ import annotations

from importlib.util import find_spec

from fer_edge.errors import FerError

for _package in ("jinja2", "matplotlib"):
    if find_spec(_package) is None:
        raise FerError(
            f"{_package} is not installed: judging needs the workstation extra: pip install 'fer-edge[workstation]'"
        )
