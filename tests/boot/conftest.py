"""A machine that `scripts/boot-test` has made, and the table of what was done to it.

FER_TEST_BOOT: folder with its disk, kernel and initrd; without it these tests skip.
FER_TEST_BOOT_CUTS: how often the power is cut. FER_TEST_BOOT_SEED: of the moments at which it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulated import Machine
from observing import Fault, Service

_FAULTS = pytest.StashKey[list[Fault]]()
_SPLIT = pytest.StashKey[list[tuple[str, float]]]()


@pytest.fixture(scope="session")
def made() -> Path:
    folder = os.environ.get("FER_TEST_BOOT")
    if not folder:
        pytest.skip("boots an emulated machine: run 'sudo make boot-test'")
    return Path(folder)


@pytest.fixture(scope="module")
def machine(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(made, tmp_path_factory.mktemp("machine"))
    try:
        machine.power_on()
        yield machine
    finally:
        machine.cut_power()


@pytest.fixture(scope="module")
def service(machine: Machine) -> Service:
    service = Service(machine)
    service.works()
    return service


@pytest.fixture(scope="session")
def faults(pytestconfig: pytest.Config) -> list[Fault]:
    """Take the rows of the table, for docs/reliability.md."""
    return pytestconfig.stash.setdefault(_FAULTS, [])


@pytest.fixture(scope="session")
def split(pytestconfig: pytest.Config) -> list[tuple[str, float]]:
    """Take the parts of the time from power on to the first expression, seconds."""
    return pytestconfig.stash.setdefault(_SPLIT, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    split, faults = config.stash.get(_SPLIT, []), config.stash.get(_FAULTS, [])
    if split:
        terminalreporter.write_line("\n| from power on | seconds |\n|---|---|")
        for name, seconds in split:
            terminalreporter.write_line(f"| {name} | {seconds:.1f} |")
    if faults:
        terminalreporter.write_line("\n| fault | tries | survived | lost |\n|---|---|---|---|")
        for fault in faults:
            terminalreporter.write_line(f"| {' | '.join(map(str, fault))} |")
