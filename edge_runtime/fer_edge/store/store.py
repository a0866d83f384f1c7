"""Which model a start takes, and when it goes back to another."""

from __future__ import annotations

from pathlib import Path

import msgspec

from fer_edge.errors import FerError
from fer_edge.models import shipped_model
from fer_edge.store import durable, session
from fer_edge.store.listing import MOST_STARTS, Entry, Listing
from fer_edge.store.session import Session
from fer_edge.store.trial import Trial


class Store:
    """A folder of installed models.

    Example:
        >>> trial = Store(Path("/var/lib/fer-edge/models")).begin()
        >>> model = trial.path if trial else shipped_model()
    """

    def __init__(self, folder: Path) -> None:
        """Name the folder; it need not be there."""
        self.folder = folder

    def begin(self) -> Trial | None:
        """Take the current model for a start, which counts as unproved until the trial says otherwise.

        Where the current model was started three times without that, or its file is not the one that was installed, it
        is first rolled back to the last good model, or to the shipped one where there is none. A model that has proved
        itself is the last good one: its starts are not counted, so that power cuts do not cost it its place.

        Whatever is wrong with the store ends nothing, and stands in the trial's notice.

        Returns:
            None where no model is installed.
        """
        with session.held_if_possible(self.folder) as held:
            return self.take(held)

    def take(self, held: Session) -> Trial | None:
        """Do what `begin` does, for who holds the store already."""
        entry = held.listing.now
        while entry is not None and (reason := self._unfit(held, entry)):
            entry = self.go_back(held, reason)
        if entry is None:
            return Trial(self, shipped_model(), notice=_joined(held)) if held.notices else None
        if counted := not entry.proved:
            starts = held.starts(entry)
            held.try_to_save(msgspec.structs.replace(starts, unproved=starts.unproved + 1))
        return Trial(self, self.folder / entry.file, key=entry.key, counted=counted, notice=_joined(held))

    def go_back(self, held: Session, reason: str) -> Entry | None:
        """Go from the current model to the last good one; give it, or None where that is the shipped one."""
        before, listing = held.listing.now, held.listing.rolled_back(reason)
        held.notices.append(told_of(before, listing, reason))
        held.try_to_save(listing)
        return listing.now

    def rollback(self) -> str:
        """Go from the current model to the last good one, because a person says so.

        Returns:
            What was done, in one line.

        Raises:
            FerError: No model is installed, or the store cannot be written.
        """
        reason = "rolled back by hand"
        with session.held(self.folder) as held:
            if (before := held.listing.now) is None:
                raise FerError(
                    "; ".join([*held.notices, f"no model of {self.folder} is in use: there is nothing to roll back"])
                )
            listing = held.listing.rolled_back(reason)
            # A file that is damaged would only be found at the next start.
            while (entry := listing.now) is not None and (wrong := damage(self.folder, entry)):
                listing = listing.rolled_back(wrong)
            held.save(listing)
        return told_of(before, listing, reason)

    def _unfit(self, held: Session, entry: Entry) -> str | None:
        """Tell why a model cannot be taken for a start, None where it can."""
        if wrong := damage(self.folder, entry):
            return wrong
        starts = held.starts(entry)
        if entry.proved or starts.unproved < MOST_STARTS:
            return None
        why = f" (the last: {starts.reason})" if starts.reason else ""
        return f"{MOST_STARTS} starts in a row ended within its first minutes{why}"


def damage(folder: Path, entry: Entry) -> str | None:
    """Tell what is wrong with a model's file, None where it is the one that was installed."""
    try:
        found = durable.digest(folder / entry.file, entry.bytes)
    except OSError as error:
        return f"its file {entry.file} cannot be read: {error.strerror or error}"
    return None if found == entry.sha256 else f"its file {entry.file} is not the one that was installed"


def told_of(before: Entry | None, after: Listing, reason: str) -> str:
    """Tell of a roll-back in one line."""
    name = before.name if before else "unknown"
    if after.now:
        return f"the model {name} is in use no more ({reason}); the last good one is: {after.now.name}"
    return f"the model {name} is in use no more ({reason}); there is no last good one, so the shipped one is used"


def _joined(held: Session) -> str | None:
    return "; ".join(" ".join(notice.split()) for notice in held.notices) or None
