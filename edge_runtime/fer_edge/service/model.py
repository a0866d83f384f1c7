"""The model of the service, put into its store by the command of its own environment.

Its interpreter is the one that has to like the model: so neither this Python nor this processor has to be the same.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import msgspec

from fer_edge import files
from fer_edge.errors import FerError
from fer_edge.service import placing
from fer_edge.service.layout import Layout
from fer_edge.service.steps import Step, attempt, call
from fer_edge.store import DEFAULT_STORE

_COMMAND = "/opt/fer-edge/bin/fer-edge"
# A self-test on a slow board included.
_INSTALL_S = 600.0


def install(layout: Layout, file: Path) -> Step:
    """Look whether a model is the one in use.

    Args:
        layout: Of the system.
        file: A .tflite.

    Raises:
        FerError: It cannot be read.
    """
    content = files.read_bytes(file, "model")
    current = _current(layout) == hashlib.sha256(content).hexdigest()

    def work() -> None:
        if not layout.at("/proc/cpuinfo").exists():
            raise FerError(f"LiteRT looks into /proc/cpuinfo: mount --bind /proc {layout.at('/proc')}, then try again")
        # The store and the file may be of different systems.
        copy = layout.at("/opt") / f".{os.urandom(4).hex()}.part.tflite"
        try:
            copy.write_bytes(content)
            call([*layout.within, _COMMAND, "models", "install", f"/opt/{copy.name}"], _INSTALL_S)
        except FerError as error:
            raise FerError(str(error).replace(f"/opt/{copy.name}", str(file))) from error
        finally:
            copy.unlink(missing_ok=True)
        _hand_over(layout)

    return Step("model", f"{file.name} into {DEFAULT_STORE}", None if current else work)


def _current(layout: Layout) -> str | None:
    """Give the SHA-256 of the model in use; None without one."""
    if not layout.at(_COMMAND).exists() or not layout.at(str(DEFAULT_STORE)).is_dir():
        return None
    told = attempt([*layout.within, _COMMAND, "models", "list", "--json"]).stdout
    try:
        models: list[dict[str, Any]] = msgspec.json.decode(told, type=list[dict[str, Any]])
    except msgspec.DecodeError:  # the next step tells what is wrong with it
        return None
    installed = [one["installed"] for one in models if one.get("installed")]
    return next((one["sha256"] for one in installed if one["state"].startswith("current")), None)


def _hand_over(layout: Layout) -> None:
    """Give the store to the user of the service, which rolls models back by itself."""
    owner = placing.service_user(layout) or placing.ROOT
    for path in [layout.state, *layout.state.rglob("*")]:
        os.chown(path, owner.user, owner.group, follow_symlinks=False)
