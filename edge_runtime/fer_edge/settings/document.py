"""The settings as a commented file, and as a page of the documentation."""

from __future__ import annotations

import textwrap

import msgspec

from fer_edge.settings import Settings
from fer_edge.settings.keys import Key, sections

_WIDTH = 120
_HEAD = """\
# Settings of `fer-edge run`, for `fer-edge run --config FILE`.
# What is commented out is the default; 'fer-edge config check FILE' tells what is wrong.
"""


def toml() -> str:
    """Give a configuration file that says nothing but explains everything."""
    parts = [_HEAD]
    for name, kind, keys in sections(Settings):
        if not keys:
            continue
        parts.append(f"\n# {_first_line(kind)}\n[{name}]\n")
        parts += [f"\n{_comment(key)}# {key.name.rpartition('.')[2]} = {_value(key)}\n" for key in keys]
    return "".join(parts)


def markdown() -> str:
    """Give the tables of `docs/configuration.md`."""
    parts = []
    for name, kind, keys in sections(Settings):
        if not keys:
            continue
        parts.append(f"## [{name}]\n\n{_first_line(kind)}\n\n| key | what | default |\n|---|---|---|\n")
        parts += [
            f"| `{key.name.rpartition('.')[2]}` | {_cell(key.description)} {_cell(_sentence(key.expected))} "
            f"| `{_value(key)}` |\n"
            for key in keys
        ]
        parts.append("\n")
    return "".join(parts).rstrip("\n") + "\n"


def _comment(key: Key) -> str:
    text = f"{key.description} {_sentence(key.expected)}"
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, _WIDTH - 2))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _value(key: Key) -> str:
    """Write a default as TOML, whose simple values are JSON's."""
    return msgspec.json.encode(key.default).decode().replace(",", ", ")


def _first_line(kind: type[msgspec.Struct]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]
