"""Drawings as SVG that lies inside a page: in the page's colours, and with no identifier that another drawing has."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree import ElementTree  # nosec B405 # of what Matplotlib wrote

import matplotlib
from matplotlib.figure import Figure

# One unit of a drawing is one CSS pixel where it is shown at this width; a phone leaves 348 of its 390 to it.
WIDTH = 360
FONT = 11
_DPI = 72

# Drawn in the first, shown in the variable of that name in the page, which has another value in the dark.
INK, SOFT, LINE, CARD = "#1c1e21", "#5a6068", "#d9dde3", "#ffffff"
ACCENT, HEAT, SECOND, THIRD, FOURTH = "#0072b2", "#56a8dc", "#e69f00", "#009e73", "#cc79a7"
GOOD, BAD = "#00694c", "#b33a00"
# How lines at percentiles are told apart.
DASHES = {"p50": (0, ()), "p90": (0, (4, 2)), "p99": (0, (1, 1.5))}
VARIABLES = {
    INK: "ink",
    SOFT: "soft",
    LINE: "line",
    CARD: "card",
    ACCENT: "accent",
    HEAT: "heat",
    SECOND: "second",
    THIRD: "third",
    FOURTH: "fourth",
    GOOD: "good",
    BAD: "bad",
}

_COLOR = re.compile(r"#[0-9a-f]{6}\b")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_DIGITS = 2


@contextmanager
def drawing() -> Iterator[None]:
    """Draw with settings of ours, whatever the user's matplotlibrc says."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "fer-bench",
                "text.parse_math": False,
                "text.color": INK,
                "axes.edgecolor": LINE,
                "axes.labelcolor": SOFT,
                "axes.linewidth": 1,
                "grid.color": LINE,
                "hatch.color": ACCENT,
                "xtick.color": LINE,
                "xtick.labelcolor": SOFT,
                "ytick.color": LINE,
                "ytick.labelcolor": SOFT,
                "font.size": FONT,
                "axes.labelsize": FONT,
                "xtick.labelsize": FONT,
                "ytick.labelsize": FONT,
                "figure.facecolor": "none",
                "axes.facecolor": "none",
                "savefig.facecolor": "none",
            }
        )
        # The browser has what matplotlib's own font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        yield


def canvas(height: float) -> Figure:
    """Make an empty figure of `WIDTH` by so many pixels."""
    return Figure(figsize=(WIDTH / _DPI, height / _DPI), dpi=_DPI)


def inline(figure: Figure, name: str) -> str:
    """Give a figure as an `<svg>` element.

    Args:
        figure: Of `canvas`.
        name: In the identifiers, so unlike that of any other drawing of the page; letters, digits and hyphens.
    """
    content = io.BytesIO()
    figure.savefig(content, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    root = ElementTree.fromstring(content.getvalue())  # nosec B314 # Matplotlib's own
    used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", content.getvalue().decode()))
    for element in root.iter():
        element.tag = _local(element.tag)
        attributes = {_local(key): value for key, value in element.attrib.items()}
        if attributes.get("id") not in used:
            attributes.pop("id", None)
        element.attrib = {key: _rewritten(key, value, name) for key, value in attributes.items()}
    root.attrib = {"viewBox": root.attrib["viewBox"], "aria-hidden": "true"}
    return ElementTree.tostring(root, "unicode")


def printable(text: str) -> str:
    """Replace what XML cannot hold, such as control characters in the name of a file; any space becomes a plain one."""
    return "".join(" " if one.isspace() else one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def shorten(text: str, length: int) -> str:
    """Leave out the middle of what is too long: names of variants differ at both ends."""
    text = printable(text)
    if len(text) <= length:
        return text
    tail = max(1, (length - 1) // 2)
    return f"{text[: max(1, length - 1 - tail)]}…{text[-tail:]}"


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _rewritten(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key == "href":
        return f"#{name}-{value.removeprefix('#')}"
    if key == "style":
        value = _COLOR.sub(lambda found: f"var(--{VARIABLES[found[0]]}, {found[0]})", value)
    elif key in ("d", "transform", "x", "y", "width", "height", "points"):
        value = _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.{_DIGITS}f}", value)
    return value.replace("url(#", f"url(#{name}-")
