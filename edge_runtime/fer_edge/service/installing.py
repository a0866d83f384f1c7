"""Putting the service in place, and taking it away."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fer_edge.command import warn
from fer_edge.errors import UsageError
from fer_edge.service import configuring, environment, model, packages, units, user
from fer_edge.service.layout import Camera, Layout
from fer_edge.service.steps import Look, Step, take
from fer_edge.service.systemctl import is_active, systemctl
from fer_edge.store import DEFAULT_STORE


@dataclass(frozen=True)
class Wishes:
    """What a user asks for.

    Attributes:
        configuration: A file of settings; None to keep what is there, or for a default.
        camera: For the default; None for any.
        model: A file to put into the store; None for none.
        wheels: A folder to install from without network; None to install what runs now once more.
        force: Whether to replace a configuration that differs.
    """

    configuration: Path | None = None
    camera: Camera | None = None
    model: Path | None = None
    wheels: Path | None = None
    force: bool = False


def install(layout: Layout, wishes: Wishes, tell: Callable[[str], None], *, dry_run: bool) -> None:
    """Put the service in place; the second time there is nothing to do.

    What can be told to be wrong is told before the first step.

    Args:
        layout: Of the system.
        wishes: What is asked for.
        tell: Takes a line a step.
        dry_run: Whether to look and tell only.

    Raises:
        FerError: A step failed; what it would have replaced is as it was.
        UsageError: The configuration, the model or the folder of wheels cannot be meant.
    """
    content = configuring.chosen(layout, wishes.configuration, wishes.camera)
    settings = configuring.checked(content, layout)
    own = wishes.wheels is None and environment.is_made_by_hand(layout)
    wanted = None if own else packages.find(wishes.wheels, packages.extras(settings))
    changed = False

    def work() -> Iterator[Look]:
        yield lambda: user.create(layout)
        yield lambda: environment.keep(layout) if wanted is None else environment.create(layout, wanted)
        yield lambda: configuring.write(layout, content, force=wishes.force)
        if wishes.model is not None:
            given = wishes.model
            yield lambda: model.install(layout, given)
        yield lambda: units.write(layout)
        yield lambda: units.network(layout, needed=configuring.needs_network(settings))
        yield lambda: units.enable(layout)

    def noting(look: Look) -> Look:
        def noted() -> Step:
            nonlocal changed
            step = look()
            changed = changed or step.work is not None
            return step

        return noted

    if wishes.model is not None and settings.model.store != str(DEFAULT_STORE):
        raise UsageError(
            f"--model, but the configuration does not use it: set model.store = {str(DEFAULT_STORE)!r} in it"
        )
    for line in configuring.unreachable(settings):
        warn(line)
    # Before the first step changes anything.
    configuring.write(layout, content, force=wishes.force)
    take((noting(look) for look in work()), tell, dry_run=dry_run)
    if not layout.is_image:
        take([lambda: _start(layout, changed=changed)], tell, dry_run=dry_run)
    if environment.others(layout, keep=True):
        # After the start: what runs until then may still load a module.
        take([lambda: environment.tidy(layout)], tell, dry_run=dry_run)


def uninstall(layout: Layout, tell: Callable[[str], None], *, purge: bool, dry_run: bool) -> None:
    """Take the service away.

    Args:
        layout: Of the system.
        tell: Takes a line a step.
        purge: Whether configuration, models, results and the user go too.
        dry_run: Whether to look and tell only.

    Raises:
        FerError: A step failed.
    """
    looks: list[Look] = [
        lambda: units.disable(layout),
        lambda: units.remove(layout),
        lambda: environment.remove(layout),
    ]
    if purge:
        looks += [
            lambda: _remove(layout, layout.configuration.parent, "configuration"),
            lambda: _remove(layout, layout.state, "state"),
            lambda: _remove(layout, layout.logs, "results"),
            lambda: user.remove(layout),
        ]
    take(looks, tell, dry_run=dry_run)


def _start(layout: Layout, *, changed: bool) -> Step:
    def work() -> None:
        systemctl(layout, "daemon-reload")
        systemctl(layout, "reset-failed", layout.unit)
        # It is ready with its first frame, for which nobody has to wait here.
        systemctl(layout, "--no-block", "restart", layout.unit)
        # They share environment and unit.
        if others := [unit for unit in units.known(layout) if unit != layout.unit]:
            systemctl(layout, "--no-block", "try-restart", *others)

    device = f" --device {layout.camera}" if layout.camera else ""
    told = f"{layout.unit}; 'fer-edge service status{device}' tells how it is"
    return Step("start", told, work if changed or not is_active(layout) else None)


def _remove(layout: Layout, folder: Path, name: str) -> Step:
    def work() -> None:
        shutil.rmtree(folder)

    return Step(name, f"remove {layout.told(folder)}", work if folder.is_dir() else None)
