"""Models installed on this device: the one in use, the last good one, and how to get from one to the other and back.

A store is a folder:

    NAME.0123456789abcdef.tflite    a model; the digits are the first of its SHA-256
    models.json                     which are installed, and which of them is current; see `fer_edge.store.listing`
    starts.json                     how often the current one was started without having proved itself

Each file is replaced as a whole, by a name that a power cut leaves with the old or with the new; see
`fer_edge.store.durable`. The models come first, then `models.json`, then what nobody needs any more is removed.
"""

from __future__ import annotations

from pathlib import Path

from fer_edge.store.store import Store
from fer_edge.store.trial import Trial

__all__ = ["DEFAULT_STORE", "Store", "Trial"]

DEFAULT_STORE = Path("/var/lib/fer-edge/models")
