"""One start of a model, which is without proof until it has worked for some minutes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fer_edge.store import session

if TYPE_CHECKING:
    from fer_edge.store.store import Store


class Trial:
    """A start of the current model, or of the shipped one where the store had to fall back to it.

    Attributes:
        path: The file to load.
        notice: One line for the journal on what is wrong with the store or was rolled back, None where nothing is.
    """

    def __init__(
        self, store: Store, path: Path, *, key: str | None = None, counted: bool = False, notice: str | None = None
    ) -> None:
        """Take note of a start; `Store.begin` makes it.

        Args:
            store: Where it comes from.
            path: The file to load.
            key: Of the model in the store; None for the shipped one, about which there is nothing to learn.
            counted: Whether it counts as unproved.
            notice: See above.
        """
        self.path = path
        self.notice = notice
        self._store = store
        self._key = key
        self._counted = counted

    def failed(self, reason: str) -> Trial | None:
        """Roll back at once, for a model that cannot be used at all: it does not load, or fails its self-test.

        Args:
            reason: Why, for people.

        Returns:
            A start of the last good model; of another one that was installed meanwhile; None where there is neither.
            Then this start counts as one that ended early, and after three of them `Store.begin` takes the shipped one.
        """
        if self._key is None:
            return None
        reason = " ".join(reason.split())[:1000]
        with session.held_if_possible(self._store.folder) as held:
            entry = held.listing.now
            if entry is not None and entry.key == self._key:
                if held.listing.last_good is None:
                    held.try_to_save(msgspec.structs.replace(held.starts(entry), reason=reason))
                    return None
                self._store.go_back(held, reason)
            return self._store.take(held)

    def proved(self) -> str | None:
        """Make this model the last good one: it has worked for some minutes.

        Returns:
            None, or one line for the journal on why that could not be written down; it can be tried again.
        """
        if self._key is None:
            return None
        with session.held_if_possible(self._store.folder) as held:
            listing = held.listing.proved(self._key)
            if listing != held.listing:
                held.try_to_save(listing)
        return "; ".join(held.notices) or None

    def ended(self) -> str | None:
        """Take back that this start counts, for it came to an orderly end; once is enough.

        Returns:
            None, or one line for the journal on why that could not be written down.
        """
        if self._key is None or not self._counted:
            return None
        with session.held_if_possible(self._store.folder) as held:
            entry = held.listing.find(self._key)
            if entry is not None and not entry.proved:
                starts = held.starts(entry)
                held.try_to_save(msgspec.structs.replace(starts, unproved=max(0, starts.unproved - 1)))
        self._counted = bool(held.notices)
        return "; ".join(held.notices) or None
