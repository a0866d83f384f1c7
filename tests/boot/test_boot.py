"""A machine that boots: the service starts by itself, is shut in, and tells of a face."""

from __future__ import annotations

import json
import re
import time

import pytest

from emulated import Machine
from observing import LOG, Service

pytestmark = pytest.mark.boot


def test_it_is_active_after_boot_without_a_hand(machine: Machine, service: Service) -> None:
    assert service.state == "active"
    assert service.restarts == 0
    assert machine.output("systemctl --failed --plain --no-legend") == ""


def test_it_is_ready_only_after_its_first_frame(machine: Machine, service: Service) -> None:
    ready_s = int(machine.shown("ActiveEnterTimestampMonotonic")["ActiveEnterTimestampMonotonic"]) / 1e6
    first = service.written().times()[0] - _booted_at(machine)
    assert ready_s > first


def test_its_results_name_the_expression_of_the_face(service: Service) -> None:
    written = service.written()
    assert not written.torn
    service.machine.wait("a face", lambda: any(result["faces"] for result in service.written().results))
    faces = [face for result in service.written().results for face in result["faces"]]
    assert {face["expression"] for face in faces} == {"happy"}


def test_others_cannot_read_its_results(machine: Machine, service: Service) -> None:
    assert machine.output(f"stat -c '%U %a' {LOG}") == "fer-edge 600"
    assert machine.run(f"setpriv --reuid=nobody --clear-groups cat {LOG}").code != 0


def test_it_has_no_privileges(machine: Machine, service: Service) -> None:
    told = dict(re.findall(r"^(\w+):\s*(.*)$", machine.output(f"cat /proc/{service.process}/status"), re.MULTILINE))
    assert set(told["Uid"].split()) == {machine.output("id -u fer-edge")} != {"0"}
    assert int(told["CapEff"], 16) == int(told["CapBnd"], 16) == 0
    assert told["NoNewPrivs"] == "1"
    assert told["Seccomp"] == "2"


def test_its_exposure_is_as_promised(machine: Machine) -> None:
    line = machine.output("systemd-analyze security --no-pager fer-edge").splitlines()[-1]
    exposure = re.search(r"exposure level for fer-edge.service: ([\d.]+)", line)
    assert exposure, line
    assert float(exposure[1]) <= 1.5


def test_nothing_listens(machine: Machine, service: Service) -> None:
    assert machine.output("ss -Hlntuw") == ""
    # The service has a network of its own, with nobody else in it.
    assert machine.output(f"nsenter -t {service.process} -n ss -Hlntuw") == ""
    (link,) = machine.output(f"nsenter -t {service.process} -n ip -o link").splitlines()
    assert link.startswith("1: lo:")


def test_power_on_to_first_expression(machine: Machine, service: Service, split: list[tuple[str, float]]) -> None:
    asked = time.monotonic()
    up_s = float(machine.output("cut -d' ' -f1 /proc/uptime"))
    firmware_s = asked - machine.powered_s - up_s
    shown = machine.shown("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    userspace_s = int(machine.output("systemctl show -P UserspaceTimestampMonotonic")) / 1e6
    started_s, ready_s = (int(value) / 1e6 for value in shown.values())
    machine.wait("a face", lambda: machine.run(f"grep -q expression {LOG}").code == 0)
    first = json.loads(machine.output(f"grep -m 1 expression {LOG}"))
    written = service.written()
    published_s = written.times()[written.results.index(first)] + first["age_ms"] / 1e3 - _booted_at(machine)
    split += [
        ("firmware", firmware_s),
        ("kernel and initrd", userspace_s),
        ("systemd until it starts the service", started_s - userspace_s),
        ("the service until READY=1", ready_s - started_s),
        ("READY=1 until the first expression is written", published_s - ready_s),
        ("all", firmware_s + published_s),
    ]
    assert 0 < userspace_s < started_s < ready_s
    assert published_s > started_s


def _booted_at(machine: Machine) -> float:
    """Give the time at which the kernel's clock began, seconds since 1970 by the machine's."""
    now, up = machine.output("echo $(date +%s.%N) $(cut -d' ' -f1 /proc/uptime)").split()
    return float(now) - float(up)
