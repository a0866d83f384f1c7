"""Settings from a file, the environment and the command line, in rising precedence; every mistake is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from fer_edge.errors import UsageError
from fer_edge.settings import Settings
from fer_edge.settings.keys import PREFIX, Key, find, is_section, keys

CONFIG_VARIABLE = f"{PREFIX}CONFIG"

DEFAULT = "default"

# Characters; what `fer-edge config init` writes has 11,000. `tomllib` takes time by the square of a key's length.
_LONGEST = 1 << 16
_LONGEST_LINE = 1 << 12
# Of mistakes that are told, each with a guess at what was meant.
_MOST_FINDINGS = 20
# Characters of a wrong key or value that are told.
_SHOWN = 80


class ConfigurationError(UsageError):
    """Settings that cannot be meant.

    Attributes:
        findings: One line each: where, which key, what is wrong, what to do.
    """

    def __init__(self, findings: list[str]) -> None:
        """Join the findings to one message."""
        super().__init__("; ".join(findings))
        self.findings = findings


class Given(msgspec.Struct, frozen=True):
    """A value that somebody gave.

    Attributes:
        key: With dots.
        value: As given.
        origin: Where, for people: a file, "environment", "command line".
        is_text: Whether it is text whatever is meant, as in the environment.
    """

    key: str
    value: Any
    origin: str
    is_text: bool = False


class Effective(msgspec.Struct, frozen=True):
    """Settings, and where they came from.

    Attributes:
        settings: All of them.
        origins: By key, of what is not the default.
    """

    settings: Settings
    origins: dict[str, str]


def effective(given: Iterable[Given]) -> Effective:
    """Put values over the defaults, later ones over earlier ones.

    Raises:
        ConfigurationError: With everything that is wrong.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    findings = []
    for one in given:
        key = find(Settings, one.key)
        try:
            if key is None:
                raise ValueError(f"{one.origin}: there is no key {_shown(one.key)}{_nearest(one.key)}")
            values[one.key] = _converted(key, one)
            origins[one.key] = one.origin
        except ValueError as error:
            findings.append(str(error))
        if len(findings) == _MOST_FINDINGS:
            findings.append("there may be more mistakes: mend these first")
            break
    if findings:
        raise ConfigurationError(findings)
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        inner = nested
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return Effective(_changed(Settings(), nested), origins)


def from_text(text: str, origin: str) -> list[Given]:
    """Read a TOML document.

    Args:
        text: Of it.
        origin: Its name, for people.

    Raises:
        ConfigurationError: It is no TOML, with the line, or longer than any configuration.
    """
    import tomllib  # most runs have no file

    if len(text) > _LONGEST or max(map(len, text.splitlines()), default=0) > _LONGEST_LINE:
        raise ConfigurationError(
            [f"{origin}: longer than {_LONGEST:,} characters, or than {_LONGEST_LINE:,} in a line: no configuration is"]
        )
    try:
        return list(_flat(tomllib.loads(text), Settings, origin))
    except RecursionError as error:
        raise ConfigurationError([f"{origin}: no TOML of ours: nested too deeply"]) from error
    except ValueError as error:  # TOMLDecodeError is one; a number of thousands of digits is another
        raise ConfigurationError([f"{origin}: no TOML: {error}"]) from error


def from_file(path: Path) -> list[Given]:
    """Read a configuration file.

    Raises:
        FerError: It cannot be read.
        ConfigurationError: It is no TOML in UTF-8.
    """
    from fer_edge import files

    content = files.read_bytes(path, "configuration", largest=4 * _LONGEST)
    try:
        return from_text(content.decode(), str(path))
    except UnicodeDecodeError as error:
        raise ConfigurationError([f"{path}: no text in UTF-8: {error}"]) from error


def from_environment(environment: Mapping[str, str]) -> list[Given]:
    """Read what variables set, such as FER_EDGE_LOOP_RAW=true; lists have commas. What is unknown is given as it is."""
    mine = {name: value for name, value in environment.items() if name.startswith(PREFIX) and name != CONFIG_VARIABLE}
    if not mine:
        return []
    known = {key.variable: key.name for key in keys(Settings)}
    return [
        Given(known.get(name, name.removeprefix(PREFIX).lower()), value, f"environment ({name})", is_text=True)
        for name, value in sorted(mine.items())
    ]


def missing_files(settings: Settings) -> list[str]:
    """Tell which files are named and not there, a line each."""
    values = msgspec.to_builtins(settings)
    found = []
    for key in keys(Settings):
        value = value_of(values, key.name)
        if key.is_file and value and not Path(value).is_file():
            found.append(f"{key.name} = {value!r}: there is no such file; give the path of one")
    return found


def value_of(values: Any, name: str) -> Any:
    """Look a key up in nested mappings."""
    for part in name.split("."):
        values = values[part]
    return values


def _converted(key: Key, given: Given) -> Any:
    value = given.value
    if given.is_text and key.is_list:
        value = [part.strip() for part in value.split(",")]
    try:
        return msgspec.convert(value, key.type, strict=not given.is_text)
    except msgspec.ValidationError as error:
        raise ValueError(
            f"{given.origin}: {key.name} = {_shown(given.value)} cannot be: give {key.expected}, such as "
            f"{msgspec.json.encode(key.default).decode()}"
        ) from error


def _flat(table: Mapping[str, Any], kind: type[msgspec.Struct], origin: str, prefix: str = "") -> Iterator[Given]:
    inner = {field.name: field.type for field in msgspec.structs.fields(kind) if is_section(field.type)}
    for name, value in table.items():
        if name in inner and isinstance(value, dict):
            yield from _flat(value, inner[name], origin, f"{prefix}{name}.")
        else:
            yield Given(f"{prefix}{name}", value, origin)


def _shown(value: Any) -> str:
    """Write what was given, shortened: a value may be a megabyte of text, or nested without end."""
    import reprlib  # for mistakes only

    shortened = reprlib.Repr()
    shortened.maxstring = shortened.maxother = shortened.maxlong = _SHOWN
    return shortened.repr(value)


def _nearest(name: str) -> str:
    """Guess what was meant."""
    if len(name) > _SHOWN:
        return "; 'fer-edge config keys' lists all"
    import difflib  # for mistakes only

    known = [key.name for key in keys(Settings)]
    by_last: dict[str, list[str]] = {}
    for one in known:
        by_last.setdefault(one.rpartition(".")[2], []).append(one)
    if inside := [one for one in known if one.startswith(f"{name}.")]:
        return f": it is a section; its keys are {', '.join(inside[:3])}{', ...' if len(inside) > 3 else ''}"
    if near := difflib.get_close_matches(name, known, 1, 0.8):
        return f"; did you mean {near[0]}?"
    if section := difflib.get_close_matches(name, {one.rpartition(".")[0] for one in known}, 1, 0.8):
        return f"; did you mean the section [{section[0]}]?"
    last = difflib.get_close_matches(name.rpartition(".")[2], by_last, 1, 0.6)
    return f"; did you mean {' or '.join(by_last[last[0]])}?" if last else "; 'fer-edge config keys' lists all"


def _changed(settings: Any, values: Mapping[str, Any]) -> Any:
    changes = {
        name: _changed(getattr(settings, name), value) if isinstance(value, dict) else value
        for name, value in values.items()
    }
    return msgspec.structs.replace(settings, **changes)
