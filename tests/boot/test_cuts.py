"""The power is cut at random moments, again and again, and the disk is kept."""

from __future__ import annotations

import json
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from emulated import Machine
from observing import MODELS, PATIENCE_S, Fault, Service, Written

pytestmark = pytest.mark.boot
# Seconds from READY=1, or from the start of the service, within which the power is cut.
_WITHIN_S = 20.0
_WHOLE = f"find /etc/fer-edge {MODELS} -type f -exec sha256sum {{}} + | sort"


def test_power_cuts(made: Path, tmp_path: Path, faults: list[Fault]) -> None:
    cuts = int(os.environ.get("FER_TEST_BOOT_CUTS", "3"))
    draws = random.Random(int(os.environ.get("FER_TEST_BOOT_SEED", "1")))
    machine = Machine(made, tmp_path)
    service = Service(machine)
    lost = []
    try:
        machine.power_on()
        service.works()
        # Until it has proved itself, starts of a model are counted: three that end early cost it its place.
        machine.wait("the model proves itself", lambda: _proved(machine), PATIENCE_S)
        installed = machine.output(_WHOLE)
        for number in range(cuts):
            if number % 2:
                machine.output("systemctl restart --no-block fer-edge")
            time.sleep(draws.uniform(0, _WITHIN_S))
            before, cut_at = service.written(), service.now()
            machine.cut_power()

            machine.power_on()
            service.works()
            assert machine.output(_WHOLE) == installed
            after = service.written()
            kept = _common(before, after)
            lost.append(max(0.0, cut_at - after.times()[kept - 1]) if kept else cut_at - before.times()[0])
        written = service.written()
        assert len(written.torn) <= cuts
        for place in written.torn:  # what follows is of a new process
            assert written.results[place]["frame"] < written.results[place - 1]["frame"]
        machine.output(f"/opt/fer-edge/bin/fer-edge models verify --store {MODELS}", timeout_s=PATIENCE_S)
        machine.power_off()
    finally:
        machine.cut_power()
    _check_disk(machine.disk, tmp_path / "disk.img")
    told = f"results of the last {max(lost):.0f} s at most; {len(written.torn)} torn lines"
    faults.append(Fault("power cut", cuts, cuts, told))


def _proved(machine: Machine) -> bool:
    (model,) = json.loads(machine.output(f"cat {MODELS}/models.json"))["models"]
    return bool(model["proved"])


def _common(before: Written, after: Written) -> int:
    """Give how many results are in both."""
    pairs = zip(before.results, after.results, strict=False)
    return next(
        (place for place, (one, other) in enumerate(pairs) if one != other),
        min(map(len, (before.results, after.results))),
    )


def _check_disk(disk: Path, raw: Path) -> None:
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(disk), str(raw)], check=True)
    checked = subprocess.run(["e2fsck", "-f", "-n", str(raw)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    raw.unlink()
