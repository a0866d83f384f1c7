"""A store while this process holds it: what it knows, and writing it down."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from fer_edge.errors import FerError
from fer_edge.store import durable
from fer_edge.store.listing import LISTING_NAME, STARTS_NAME, Entry, Listing, Starts

_LARGEST = 1 << 20
_Told = TypeVar("_Told", Listing, Starts)


class Session:
    """What a store knows, and what of it is wrong.

    Attributes:
        folder: The store.
        listing: Its models.
        notices: What is wrong, for people, a sentence without a full stop each.
    """

    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        """Read what is there; what is damaged or cannot be read counts as absent and is a notice.

        Args:
            folder: The store.
            writable: Whether this process holds it.
        """
        self.folder = folder
        self.notices: list[str] = []
        self._writable = writable
        self.listing = self._read(LISTING_NAME, Listing, "install a model again") or Listing()
        self._starts = self._read(STARTS_NAME, Starts, "starts are counted from zero")

    def starts(self, entry: Entry) -> Starts:
        """Give the starts of a model."""
        return self._starts if self._starts and self._starts.key == entry.key else Starts(key=entry.key, unproved=0)

    def save(self, told: Listing | Starts) -> None:
        """Take over what is new and write it down.

        Raises:
            OSError: It cannot be written; it was taken over.
        """
        if isinstance(told, Listing):
            self.listing, name = told, LISTING_NAME
        else:
            self._starts, name = told, STARTS_NAME
        if self._writable:
            durable.write(self.folder / name, msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")

    def try_to_save(self, told: Listing | Starts) -> None:
        """Take over what is new; what cannot be written is a notice."""
        try:
            self.save(told)
        except OSError as error:
            self._complain("cannot be written", error)

    def complain_of_lock(self, error: OSError) -> None:
        """Tell that this process does not hold the store and so writes nothing."""
        self._complain("cannot be held", error)

    def _complain(self, what: str, error: OSError) -> None:
        text = f"the model store {self.folder} {what} ({error.strerror or error}): starts are not counted"
        if text not in self.notices:
            self.notices.append(text)

    def _read(self, name: str, kind: type[_Told], advice: str) -> _Told | None:
        path = self.folder / name
        try:
            with durable.open_file(path, _LARGEST) as file:
                return msgspec.json.decode(file.read(_LARGEST), type=kind)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            self.notices.append(f"cannot read {path} ({error.strerror or error}): {advice}")
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.notices.append(f"{path} is damaged ({error}): {advice}")
        return None


@contextlib.contextmanager
def held(folder: Path) -> Iterator[Session]:
    """Hold a store, for commands.

    Raises:
        FerError: It cannot be held, or what follows cannot write to it.
    """
    try:
        with durable.locked(folder, durable.PATIENCE_S):
            yield Session(folder)
    except PermissionError as error:
        raise FerError(f"cannot change the model store {folder}: {error.strerror}; try it with sudo") from error
    except OSError as error:
        raise FerError(f"cannot change the model store {folder}: {error.strerror or error}") from error


@contextlib.contextmanager
def held_if_possible(folder: Path) -> Iterator[Session]:
    """Hold a store, for the service, which goes on where that cannot be done: nothing is written then."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(durable.locked(folder, durable.PATIENCE_S))
        except (FileNotFoundError, NotADirectoryError):
            yield Session(folder, writable=False)
        except OSError as error:
            session = Session(folder, writable=False)
            session.complain_of_lock(error)
            yield session
        else:
            yield Session(folder)
