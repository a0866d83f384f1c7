"""What a store knows: its models, which of them is current, and its unproved starts. Values and no files."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fer_edge.store import structure

LISTING_NAME = "models.json"
STARTS_NAME = "starts.json"
# After so many starts in a row that ended without a proof, the next one takes another model.
MOST_STARTS = 3

_FILE = r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,80}\.[0-9a-f]{16}\.tflite$"
_Line = Annotated[str, Meta(max_length=2000)]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An installed model.

    Attributes:
        key: Of this installation; the same file installed again has another.
        file: Its name in the store.
        sha256: Of the file, 64 hexadecimal digits.
        bytes: Size of the file.
        name: As the model calls itself.
        installed: UTC date and time by the device's clock, ISO 8601.
        proved: None until it has worked for some minutes; then, the greater, the later it did.
        bad: Why it was rolled back from; None where it was not.
    """

    key: Annotated[str, Meta(pattern=r"^[0-9a-f]{16}$")]
    file: Annotated[str, Meta(pattern=_FILE)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Meta(ge=1, le=structure.LARGEST_FILE)]
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    installed: _Line
    proved: Annotated[int, Meta(ge=1)] | None = None
    bad: _Line | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """All models of a store, the content of `models.json`.

    Attributes:
        format: Version of this description.
        current: Key of the model in use; None where it is the shipped one.
        models: In the order of their installation.
    """

    format: Literal[1] = 1
    current: str | None = None
    models: Annotated[tuple[Entry, ...], Meta(max_length=100)] = ()

    def __post_init__(self) -> None:
        """Hold the parts together."""
        if self.current is not None and self.now is None:
            raise ValueError("the current model is not in the list")

    @property
    def now(self) -> Entry | None:
        """The current model."""
        return self.find(self.current)

    @property
    def last_good(self) -> Entry | None:
        """The one, not the current, that was the last to prove itself."""
        good = [one for one in self.models if one.proved and one.bad is None and one.key != self.current]
        return max(good, key=lambda one: one.proved or 0, default=None)

    def find(self, key: str | None) -> Entry | None:
        """Give a model by its key, None where it is not there."""
        return next((one for one in self.models if one.key == key), None)

    def installed(self, entry: Entry) -> Listing:
        """Make a model the current one, and forget all but it, the current one until now, and the last good one."""
        new = msgspec.structs.replace(
            self, current=entry.key, models=(*(one for one in self.models if one.file != entry.file), entry)
        )
        kept = {entry.key, self.current, new.last_good and new.last_good.key}
        return msgspec.structs.replace(new, models=tuple(one for one in new.models if one.key in kept))

    def rolled_back(self, reason: str) -> Listing:
        """Go to the last good model, or to the shipped one where there is none; the current one is marked as bad."""
        return msgspec.structs.replace(
            self._changed(self.current, bad=reason), current=self.last_good.key if self.last_good else None
        )

    def proved(self, key: str) -> Listing:
        """Note that a model has worked for some minutes; one that was rolled back from has nothing to prove."""
        entry = self.find(key)
        if entry is None or entry.bad is not None or entry.proved:
            return self
        return self._changed(key, proved=1 + max(one.proved or 0 for one in self.models))

    def _changed(self, key: str | None, **changes: object) -> Listing:
        return msgspec.structs.replace(
            self,
            models=tuple(msgspec.structs.replace(one, **changes) if one.key == key else one for one in self.models),
        )


class Starts(msgspec.Struct, frozen=True, kw_only=True):
    """The starts of a model that have not ended well, the content of `starts.json`.

    Attributes:
        key: Of the model.
        unproved: Their number.
        reason: Why the last of them ended, where that is known.
    """

    key: str
    unproved: Annotated[int, Meta(ge=0)]
    reason: _Line | None = None


def file_name(name: str, sha256: str) -> str:
    """Give the name under which a store keeps a model."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:60].strip("-")
    return f"{plain or 'model'}.{sha256[:16]}.tflite"


def is_file_name(name: str) -> bool:
    """Tell whether a file may be one of a store's models."""
    return re.match(_FILE, name) is not None
