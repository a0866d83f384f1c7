"""The virtual environment of the service.

A new one is made beside the old one, under a name that tells what is in it; when it is whole, the link /opt/fer-edge is
pointed at it. So the old one stays until then, also where the power fails, and the name tells whether there is
anything to do.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from fer_edge.errors import FerError
from fer_edge.service import placing
from fer_edge.service.layout import Layout
from fer_edge.service.packages import Packages
from fer_edge.service.steps import Step, call

# libcamera and picamera2 are packages of the system for the system's Python alone.
PYTHON = "/usr/bin/python3"

_PACKAGES = "/usr/lib/python3/dist-packages"
_OLDEST = 11
# Version, Python, digest.
_OURS = re.compile(r"fer-edge-[^-]+-python3\.[0-9]+-[0-9a-f]{8}")
# Compilation on a slow board included.
_PIP_S = 3600.0


def is_made_by_hand(layout: Layout) -> bool:
    """Tell whether somebody made the environment himself, as 32-bit systems ask for."""
    return layout.environment.is_dir() and not layout.environment.is_symlink()


def keep(layout: Layout) -> Step:
    """Look whether there is fer-edge in an environment that was made by hand.

    Raises:
        FerError: There is not.
    """
    link = layout.environment
    if not (link / "bin" / "fer-edge").exists():
        raise FerError(f"{link} was made by hand and has no bin/fer-edge: install it there, or give --wheels DIR")
    return Step("environment", f"{layout.told(link)}, made by hand; --wheels DIR replaces it", None)


def create(layout: Layout, packages: Packages) -> Step:
    """Look whether the environment has these packages."""
    python, held = _python(layout), pins(layout)
    link = layout.environment
    # An environment works with the Python alone that made it.
    name = f"{link.name}-{packages.version}-{python}-{packages.digest(*held)}"
    told = f"{layout.told(link)}: fer-edge {packages.version}{_told(packages.extras)}"
    by_hand = is_made_by_hand(layout)
    if by_hand:
        told += f"; what is there now is put aside as {link.name}.before"
    if link.is_symlink() and str(link.readlink()) == name and (link / "bin" / "fer-edge").exists():
        return Step("environment", told, None)

    def work() -> None:
        folder = link.with_name(name)
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was cut off
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            _make(layout, f"/opt/{name}", packages, held)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        os.sync()  # before the link, or after a power cut it may point at empty files
        if by_hand:
            link.rename(link.with_name(f"{link.name}.before"))
        placing.link(link, name)

    return Step("environment", told, work)


def remove(layout: Layout) -> Step:
    """Look whether there are environments, to remove them."""
    link, old = layout.environment, others(layout, keep=False)

    def work() -> None:
        if link.is_symlink():
            link.unlink()
        for path in old:
            shutil.rmtree(path)

    return Step("environment", f"remove {layout.told(link)}", work if old or link.is_symlink() else None)


def tidy(layout: Layout) -> Step:
    """Look for environments that are no longer used, to remove them."""
    old = others(layout, keep=True)

    def work() -> None:
        for path in old:
            shutil.rmtree(path)

    return Step("tidy", f"remove {', '.join(map(layout.told, old)) or 'nothing'}", work if old else None)


def others(layout: Layout, *, keep: bool) -> list[Path]:
    """Name the folders of environments that were made here.

    Args:
        layout: Of the system.
        keep: Whether the one in use is left out.
    """
    link = layout.environment
    used = link.readlink().name if keep and link.is_symlink() else None
    found = [path for path in sorted(link.parent.glob(f"{link.name}-*")) if _OURS.fullmatch(path.name)]
    return [path for path in found if path.name != used]


def _told(extras: tuple[str, ...]) -> str:
    return f" with {', '.join(extras)}" if extras else ""


def _python(layout: Layout) -> str:
    """Name the system's Python with its version, "python3.11".

    Raises:
        FerError: There is none, or it is too old.
    """
    path = layout.at(PYTHON)
    name = path.readlink().name if path.is_symlink() else ""
    version = re.fullmatch(r"python3\.([0-9]+)", name)
    if version is None:
        raise FerError(f"there is no {path} that is a link to its version: apt install python3")
    if int(version[1]) < _OLDEST:
        raise FerError(f"{path} is {name}: fer-edge needs 3.{_OLDEST} or newer")
    return name


def pins(layout: Layout) -> tuple[str, ...]:
    """Tell what has to be held for the sake of the system's packages, as requirements."""
    there = layout.at(_PACKAGES)
    # picamera2 loads it, and built for NumPy 1 it fails with NumPy 2.
    both = any(there.glob("simplejpeg*")) and any(there.glob("numpy-1.*"))
    return ("numpy<2",) if both else ()


def _make(layout: Layout, place: str, packages: Packages, held: tuple[str, ...]) -> None:
    """Make an environment.

    Args:
        layout: Of the system.
        place: Its path within the system: programs of an environment know it.
        packages: For it.
        held: Further requirements for pip.
    """
    within = layout.within
    try:
        call([*within, PYTHON, "-I", "-c", "import ensurepip, venv"])
    except FerError as error:
        raise FerError(f"{error}: 'apt install python3-venv' brings what is needed") from error
    call([*within, PYTHON, "-I", "-m", "venv", "--system-site-packages", place], _PIP_S)
    parcels = layout.at(place) / "parcels"
    pip = [*within, f"{place}/bin/python", "-I", "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    install = [*pip, "install"]
    requirement = f"fer-edge=={packages.version}"
    if packages.wheels is not None:
        shutil.copytree(packages.wheels, parcels, ignore=_other_than_wheels)
        install += ["--no-index", "--find-links", f"{place}/parcels"]
    if packages.wheel is not None:
        parcels.mkdir(exist_ok=True)
        shutil.copy(packages.wheel, parcels)
        requirement = f"{place}/parcels/{packages.wheel.name}"
    if packages.extras:
        name, version, number = requirement.partition("==")
        requirement = f"{name}[{','.join(packages.extras)}]{version}{number}"
    call([*install, requirement, *held], _PIP_S)
    shutil.rmtree(parcels, ignore_errors=True)
    call([*within, f"{place}/bin/fer-edge", "--version"])


def _other_than_wheels(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.endswith(".whl")]
