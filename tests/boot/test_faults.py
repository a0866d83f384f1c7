"""What goes wrong on a wall within months, done to a booted machine."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator

import pytest

from observing import CONFIGURATION, LOG, MODELS, PATIENCE_S, Fault, Service

pytestmark = pytest.mark.boot
_CAMERA = "face-camera"
_DAY_S = 86_400


@pytest.fixture(autouse=True)
def _working(service: Service) -> None:
    """Have the service work before a fault, also where the one before was its end."""
    if service.state != "active":
        service.machine.output("systemctl reset-failed fer-edge; systemctl restart fer-edge", timeout_s=PATIENCE_S)
    service.works()


@pytest.fixture
def _same(service: Service) -> Iterator[None]:
    """Expect that the process lives through it."""
    before = service.process, service.restarts
    yield
    assert (service.process, service.restarts) == before


def test_killed(service: Service, faults: list[Fault]) -> None:
    torn, silences = len(service.written().torn), []
    for _ in range(3):
        since, before = service.now() - 5, service.restarts
        service.machine.output("systemctl kill --kill-whom=main -s KILL fer-edge")
        service.restarted(before)
        silences.append(service.silence(since))
    torn = len(service.written().torn) - torn
    assert torn <= 3
    faults.append(Fault("kill -9", 3, 3, f"{_told(silences)}; {torn} torn lines"))


def test_stopped(service: Service, faults: list[Fault]) -> None:
    since, before = service.now() - 5, service.restarts
    service.machine.output("systemctl kill --kill-whom=main -s STOP fer-edge")
    service.restarted(before)
    assert any("atchdog" in line for line in service.told(since))
    faults.append(Fault("SIGSTOP: the watchdog restarts it", 1, 1, _told([service.silence(since)])))


@pytest.mark.usefixtures("_same")
def test_camera_hangs(service: Service, faults: list[Fault]) -> None:
    since = service.now() - 5
    service.machine.output(f"systemctl kill -s STOP {_CAMERA}")
    service.machine.wait("the loss is told", lambda: "no camera" in service.status, PATIENCE_S)
    time.sleep(40)  # longer than the watchdog waits
    service.machine.output(f"systemctl kill -s CONT {_CAMERA}")
    service.works()
    faults.append(Fault("camera hangs", 1, 1, _told([service.silence(since)])))


@pytest.mark.usefixtures("_same")
def test_camera_fails(service: Service, faults: list[Fault]) -> None:
    since = service.now() - 5
    service.machine.output(f"systemctl stop {_CAMERA}")
    service.machine.wait("the loss is told", lambda: "no camera" in service.status, PATIENCE_S)
    service.machine.output(f"systemctl start {_CAMERA}")
    service.works()
    faults.append(Fault("camera gives errors", 1, 1, _told([service.silence(since)])))


def test_camera_is_unplugged(service: Service, faults: list[Fault]) -> None:
    machine = service.machine
    machine.output(f"modprobe vivid && udevadm settle && sed -i.kept s,/dev/video0,/dev/video8, {CONFIGURATION}")
    machine.output("systemctl restart fer-edge", timeout_s=PATIENCE_S)
    try:
        service.works()
        process, silences = service.process, []
        for _ in range(3):
            since = service.now() - 5
            # The kernel takes the device away although it is open, as when a plug is pulled.
            machine.output("echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind")
            machine.wait("the loss is told", lambda: "no camera" in service.status, PATIENCE_S)
            machine.wait("the camera is let go", lambda: machine.run("rmmod vivid").code == 0)
            assert machine.run("test -e /dev/video8").code != 0
            machine.output("modprobe vivid")
            service.works()
            silences.append(service.silence(since))
        assert service.process == process
    finally:
        machine.output(f"mv {CONFIGURATION}.kept {CONFIGURATION}")
        machine.output("systemctl restart fer-edge", timeout_s=PATIENCE_S)
    faults.append(Fault("camera unplugged, `rmmod vivid`, `modprobe vivid`", 3, 3, _told(silences)))


def test_camera_is_silent_at_the_start(service: Service, faults: list[Fault]) -> None:
    machine = service.machine
    machine.output(f"systemctl kill -s STOP {_CAMERA}; systemctl stop fer-edge; systemctl start --no-block fer-edge")
    time.sleep(60)
    assert service.state == "activating"
    machine.output(f"systemctl kill -s CONT {_CAMERA}")
    service.works()
    assert service.restarts == 0
    faults.append(Fault("camera silent at the start: READY=1 waits", 1, 1, "nothing"))


@pytest.mark.usefixtures("_same")
def test_clock_jumps(service: Service, faults: list[Fault]) -> None:
    machine = service.machine
    for days in (1, -2, 1):
        machine.output(f"date -s @$(($(date +%s) + {days * _DAY_S}))")
        service.works()
        time.sleep(35)  # longer than the watchdog waits
    frames = [result["frame"] for result in service.written().results]
    faults.append(Fault("clock jumps by a day, forth and back", 3, 3, "nothing"))
    assert frames[-1] > frames[-2]


@pytest.mark.usefixtures("_same")
def test_disk_is_full(service: Service, faults: list[Fault]) -> None:
    machine, since = service.machine, service.now()
    machine.output("fallocate -l $(df --output=avail -B1 / | tail -1) /full")
    # The journal gives some back, and there are the last blocks of files.
    fill = "while :; do setpriv --reuid=nobody --clear-groups head -c 1M /dev/zero >>/var/tmp/full; sleep 0.2; done"
    machine.output(f"systemd-run --quiet --unit=fill bash -c {shlex.quote(fill)}")
    machine.wait("the loss is told", lambda: _complaints(service, since) > 0, PATIENCE_S)
    time.sleep(20)
    machine.output("systemctl stop fill; rm /full /var/tmp/full")
    service.works()
    silence = service.silence(since)
    assert silence > 15
    # Told once, and once more where what others had freed let a line through in between; not for each result.
    assert _complaints(service, since) <= 3
    faults.append(Fault("disk full", 1, 1, _told([silence])))


@pytest.mark.usefixtures("_same")
def test_folder_is_read_only(service: Service, faults: list[Fault]) -> None:
    machine, since = service.machine, service.now()
    within = f"nsenter -t {service.process} -m"
    machine.output(f"{within} mount -t tmpfs -o ro none /var/log/fer-edge")
    machine.wait("the loss is told", lambda: _complaints(service, since) > 0, PATIENCE_S)
    time.sleep(20)
    machine.output(f"{within} umount /var/log/fer-edge")
    service.works()
    assert _complaints(service, since) == 1
    faults.append(Fault("log folder read-only", 1, 1, _told([service.silence(since)])))


@pytest.mark.usefixtures("_same")
def test_disk_becomes_read_only(service: Service, faults: list[Fault]) -> None:
    machine, since = service.machine, service.now()
    machine.output("echo u >/proc/sysrq-trigger")  # as the kernel does where a card fails
    machine.wait("writing fails", lambda: machine.run("touch /probe").code != 0)
    time.sleep(30)
    assert service.state == "active"
    machine.output("mount -o remount,rw /")
    service.works()
    faults.append(Fault("file system read-only, as by a failing card", 1, 1, _told([service.silence(since)])))


@pytest.mark.usefixtures("_same")
def test_configuration_is_wrong_at_reload(service: Service, faults: list[Fault]) -> None:
    machine, since = service.machine, service.now()
    machine.output(f"cp -p {CONFIGURATION} {CONFIGURATION}.kept && echo 'nonsense = [' >>{CONFIGURATION}")
    try:
        machine.output("systemctl reload fer-edge")
        machine.wait("it is refused", lambda: any("refused" in line for line in service.told(since)), PATIENCE_S)
        service.works()
    finally:
        machine.output(f"mv {CONFIGURATION}.kept {CONFIGURATION}")
    silence = service.silence(since)
    machine.output("systemctl reload fer-edge")
    machine.wait("the right one is taken", lambda: any("renewed" in line for line in service.told(since)), PATIENCE_S)
    faults.append(Fault("wrong configuration at SIGHUP", 1, 1, _told([silence])))


def test_configuration_is_wrong_at_start(service: Service, faults: list[Fault]) -> None:
    machine = service.machine
    machine.output(f"cp -p {CONFIGURATION} {CONFIGURATION}.kept && echo 'nonsense = [' >>{CONFIGURATION}")
    try:
        assert machine.run("systemctl restart fer-edge", timeout_s=PATIENCE_S).code != 0
        time.sleep(15)  # longer than systemd waits before it restarts something
        shown = machine.shown("ActiveState", "ExecMainStatus", "NRestarts")
        assert shown == {"ActiveState": "failed", "ExecMainStatus": "2", "NRestarts": "0"}
    finally:
        machine.output(f"mv {CONFIGURATION}.kept {CONFIGURATION}; systemctl start fer-edge", timeout_s=PATIENCE_S)
    service.works()
    faults.append(Fault("wrong configuration at the start: no restarts", 1, 1, "all until it is put right"))


def test_model_is_truncated(service: Service, faults: list[Fault]) -> None:
    machine, since = service.machine, service.now()
    process, before = service.process, service.restarts
    model = machine.output(f"ls {MODELS}/*.tflite")
    machine.output(f"cp -p {model} /model.kept && truncate -s 1000 {model}")
    try:
        time.sleep(30)
        assert (service.process, service.restarts) == (process, before)  # it has it in memory
        machine.output("systemctl kill --kill-whom=main -s KILL fer-edge")
        service.restarted(before)
        assert any("the shipped one is used" in line for line in service.told(since)), service.told(since)
    finally:
        machine.output(f"cp -p /model.kept {model}")
    told = f"{_told([service.silence(since)])} at the next start, which takes the shipped model"
    faults.append(Fault("model file truncated under the running service", 1, 1, told))


def test_stop_with_a_camera_that_hangs(service: Service, faults: list[Fault]) -> None:
    machine = service.machine
    machine.output(f"systemctl kill -s STOP {_CAMERA}")
    before = len(service.written().torn)
    try:
        machine.output("systemctl stop fer-edge", timeout_s=60)
        # `timeout` where it had to be killed.
        assert machine.shown("Result", "ExecMainStatus") == {"Result": "success", "ExecMainStatus": "0"}
        assert machine.output(f"tail -c 1 {LOG} | od -An -c").strip() == r"\n"
        assert len(service.written().torn) == before
    finally:
        machine.output(f"systemctl kill -s CONT {_CAMERA}; systemctl start fer-edge", timeout_s=PATIENCE_S)
    service.works()
    faults.append(Fault("SIGTERM with a camera that hangs: exit code 0", 1, 1, "nothing"))


def _complaints(service: Service, since: float) -> int:
    return sum("cannot write" in line for line in service.told(since))


def _told(silences: list[float]) -> str:
    return f"results of {', '.join(f'{seconds:.0f}' for seconds in silences)} s"
