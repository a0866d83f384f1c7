"""One HTML page that needs nothing beside it: no script, no request, pictures inside."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import jinja2

_TEMPLATE = "page.html.j2"
_PNG_SIZE = slice(16, 24)  # width and height, the first fields of a PNG's first chunk


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        header: Names of the columns; empty for none.
        rows: As long as the header each. The first cell names the row.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        heading: Its heading.
        text: Paragraphs, plain text.
        table: Below the text.
        picture: A PNG file, below the table.
        alt: What the picture shows, for who cannot see it; there with a picture.
    """

    heading: str
    text: tuple[str, ...] = ()
    table: Table | None = None
    picture: bytes | None = None
    alt: str = ""

    def __post_init__(self) -> None:
        """Refuse a picture without words."""
        if self.picture is not None and not self.alt:
            raise ValueError(f"the picture of {self.heading!r} has no alt text")


def page(title: str, sections: Sequence[Section]) -> bytes:
    """Write a page.

    Args:
        title: Plain text, as all that is given here.
        sections: In their order.

    Returns:
        HTML in UTF-8.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["base64"] = lambda picture: base64.b64encode(picture).decode()
    environment.filters["png_size"] = lambda picture: struct.unpack(">II", picture[_PNG_SIZE])
    template = resources.files(__package__).joinpath(_TEMPLATE).read_text("utf-8")
    return environment.from_string(template).render(title=title, sections=sections).encode()
