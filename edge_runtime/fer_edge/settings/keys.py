"""The settings as keys with dots, such as `detector.haar.scale_factor`, and what each may be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import inspect, structs

PREFIX = "FER_EDGE_"


class Key(msgspec.Struct, frozen=True):
    """A setting.

    Attributes:
        name: With its sections, "detector.haar.scale_factor".
        type: Annotated with `msgspec.Meta`.
        default: Of that type.
    """

    name: str
    type: Any
    default: Any

    @property
    def variable(self) -> str:
        """Name of its environment variable."""
        return PREFIX + self.name.replace(".", "_").upper()

    @property
    def description(self) -> str:
        """What it is, in a sentence or more."""
        return " ".join(meta.description for meta in _metas(self.type) if meta.description)

    @property
    def is_file(self) -> bool:
        """Whether it names a file that has to be there, where it is not empty."""
        return any((meta.extra or {}).get("file") for meta in _metas(self.type))

    @property
    def is_list(self) -> bool:
        """Whether it has several values."""
        return get_origin(get_args(self.type)[0]) is tuple

    @property
    def expected(self) -> str:
        """What it may be, for people: "a number above 1, up to 2"."""
        return _told(inspect.type_info(self.type))


def sections(kind: type[msgspec.Struct], prefix: str = "") -> Iterator[tuple[str, type[msgspec.Struct], list[Key]]]:
    """Give each section with its own keys, in order: name with dots ("" for the whole), struct, keys."""
    fields = structs.fields(kind)
    yield (
        prefix,
        kind,
        [Key(_join(prefix, one.name), one.type, one.default) for one in fields if not is_section(one.type)],
    )
    for one in fields:
        if is_section(one.type):
            yield from sections(one.type, _join(prefix, one.name))


def keys(kind: type[msgspec.Struct]) -> list[Key]:
    """Give all keys, in order."""
    return [key for _, _, own in sections(kind) for key in own]


def find(kind: type[msgspec.Struct], name: str) -> Key | None:
    """Give the key of a name, None where there is none; looks at no more than it must."""
    section, _, rest = name.partition(".")
    for one in structs.fields(kind):
        if one.name == section:
            if not is_section(one.type):
                return None if rest else Key(name, one.type, one.default)
            found = find(one.type, rest)
            return found and Key(name, found.type, found.default)
    return None


def is_section(kind: Any) -> bool:
    """Tell a section from a value."""
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _metas(kind: Any) -> tuple[msgspec.Meta, ...]:
    return get_args(kind)[1:] if get_origin(kind) is Annotated else ()


def _told(kind: inspect.Type) -> str:
    match kind:
        case inspect.Metadata(type=inner):
            return _told(inner)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number{_bounds(kind)}"
        case inspect.FloatType():
            return f"a number{_bounds(kind)}"
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(str, values))}"
        case inspect.StrType(pattern=pattern, min_length=least):
            return f"text{f' that matches {pattern}' if pattern else ', not empty' if least else ''}"
        case inspect.TupleType(item_types=items):
            return f"a list of {len(items)}, each {_told(items[0])}"
        case inspect.VarTupleType(item_type=item, min_length=least):
            return f"a list{', not empty' if least else ''}, each {_told(item)}"
    raise TypeError(f"no words for settings of type {kind}")


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    low = f" from {kind.ge}" if kind.ge is not None else f" above {kind.gt}," if kind.gt is not None else ""
    high = f" up to {kind.le}" if kind.le is not None else f" below {kind.lt}" if kind.lt is not None else ""
    return low + high
