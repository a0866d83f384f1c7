"""One HTML page that needs nothing beside it: no script, no request, pictures inside."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

import jinja2

_TEMPLATE = "page.html.j2"
_PNG_SIZE = slice(16, 24)  # width and height, the first fields of a PNG's first chunk


@dataclass(frozen=True)
class Cell:
    """A cell of a table that says more than one thing.

    Attributes:
        value: What it says.
        below: Smaller lines under it.
        tone: How the last of these lines is meant.
    """

    value: object
    below: tuple[str, ...] = ()
    tone: Literal["", "good", "bad"] = ""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        header: Names of the columns; empty for none.
        rows: As long as the header each. The first cell names the row.
    """

    header: Sequence[object]
    rows: Sequence[Sequence[object]]

    @property
    def names(self) -> list[Cell]:
        """The header, each name a `Cell`."""
        return _cells(self.header)

    @property
    def cells(self) -> list[list[Cell]]:
        """The rows, each cell a `Cell`."""
        return [_cells(row) for row in self.rows]


@dataclass(frozen=True)
class Drawing:
    """A drawing that stands beside others where there is room.

    Attributes:
        caption: Its heading.
        svg: An `<svg>` element. It is the one thing here that is markup, and goes into the page as it is.
        alt: What it shows, for who cannot see it.
        text: Below the heading; "" for none.
        table: The same in figures, folded away below the drawing.
    """

    caption: str
    svg: str
    alt: str
    text: str = ""
    table: Table | None = None

    def __post_init__(self) -> None:
        """Refuse a drawing without words."""
        if not self.alt:
            raise ValueError(f"the drawing {self.caption!r} has no alt text")


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        heading: Its heading.
        text: Paragraphs, plain text.
        table: Below the text.
        picture: A PNG file, below the table.
        alt: What the picture shows, for who cannot see it; there with a picture.
        points: A list, below the text.
        drawings: At the end.
        warning: Whether no reader may miss it.
    """

    heading: str
    text: tuple[str, ...] = ()
    table: Table | None = None
    picture: bytes | None = None
    alt: str = ""
    points: tuple[str, ...] = ()
    drawings: tuple[Drawing, ...] = ()
    warning: bool = False

    def __post_init__(self) -> None:
        """Refuse a picture without words."""
        if self.picture is not None and not self.alt:
            raise ValueError(f"the picture of {self.heading!r} has no alt text")


def page(title: str, sections: Sequence[Section], lead: Sequence[str] = (), *, wide: bool = False) -> bytes:
    """Write a page.

    Args:
        title: Plain text, as all that is given here but for `Drawing.svg`.
        sections: In their order.
        lead: Paragraphs below the title.
        wide: Whether to use the whole of a wide screen, and paper on its long side: for tables of many columns.

    Returns:
        HTML in UTF-8.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["base64"] = lambda picture: base64.b64encode(picture).decode()
    environment.filters["png_size"] = lambda picture: struct.unpack(">II", picture[_PNG_SIZE])
    template = environment.from_string(resources.files(__package__).joinpath(_TEMPLATE).read_text("utf-8"))
    return template.render(title=title, sections=sections, lead=lead, wide=wide).encode()


def _cells(row: Sequence[object]) -> list[Cell]:
    return [cell if isinstance(cell, Cell) else Cell(cell) for cell in row]
