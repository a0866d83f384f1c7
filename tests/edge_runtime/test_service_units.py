from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from fer_edge.cli import main
from fer_edge.service.layout import LOGS, STATE, UNITS, USER

REPOSITORY = Path(__file__).parents[2]
SYSTEM_UNITS = Path("/usr/lib/systemd/system")
INSTANCE = "fer-edge@video0.service"

needs_systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze: scripts/system-packages --systemd"
)


def read(name: str) -> dict[str, list[str]]:
    """Give what a unit says, by section and key."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in (UNITS / name).read_text().splitlines():
        if header := re.fullmatch(r"\[(\w+)\]", line):
            section = header[1]
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, line
            found.setdefault(f"{section}.{key}", []).append(value)
    return found


def one(unit: dict[str, list[str]], key: str) -> str:
    (value,) = unit[key]
    return value


@pytest.fixture(scope="module")
def unit() -> dict[str, list[str]]:
    return read("fer-edge.service")


def test_the_package_shows_the_folder_of_the_checkout() -> None:
    assert UNITS.resolve() == REPOSITORY / "systemd"
    assert {path.name for path in UNITS.iterdir()} == {
        "fer-edge.service",
        "fer-edge@.service",
        "fer-edge-network.conf",
        "fer-edge-user.conf",
        "fer-edge.rules",
    }


def test_systemd_is_told_and_watches(unit: dict[str, list[str]]) -> None:
    assert one(unit, "Service.Type") == "notify"
    assert one(unit, "Service.NotifyAccess") == "main"
    assert one(unit, "Service.WatchdogSec") == "30"
    assert one(unit, "Service.ExecReload") == "/bin/kill -HUP $MAINPID"
    assert one(unit, "Service.RestartPreventExitStatus") == "2"


def test_no_failure_ends_the_attempts(unit: dict[str, list[str]]) -> None:
    assert one(unit, "Service.Restart") == "always"
    pause, interval, burst = (
        int(one(unit, key)) for key in ("Service.RestartSec", "Unit.StartLimitIntervalSec", "Unit.StartLimitBurst")
    )
    # Starts within an interval, where each fails at once, with room for somebody who restarts it by hand.
    assert interval / pause + 1 + 10 < burst


@pytest.mark.parametrize(("name", "key"), [("fer-edge.service", "ExecStart"), ("fer-edge@.service", "ExecStart")])
def test_the_command_exists_with_its_options(name: str, key: str) -> None:
    program, command, *arguments = shlex.split(read(name)[f"Service.{key}"][-1])
    assert program == "/opt/fer-edge/bin/fer-edge"
    found = main.get_command(click.Context(main), command)
    assert found is not None
    with found.make_context(command, arguments) as context:
        assert str(context.params["config_file"]).startswith("/etc/fer-edge/")
    with pytest.raises(click.NoSuchOption):
        found.make_context(command, [*arguments, "--no-such-option"])


def test_user_and_places_are_those_of_the_installer(unit: dict[str, list[str]]) -> None:
    assert one(unit, "Service.User") == one(unit, "Service.Group") == USER
    assert one(unit, "Service.SupplementaryGroups") == "video"
    assert one(unit, "Service.StateDirectory") == Path(STATE).name
    assert one(unit, "Service.LogsDirectory") == Path(LOGS).name
    assert one(unit, "Service.WorkingDirectory") == STATE
    assert f"u {USER} - " in (UNITS / "fer-edge-user.conf").read_text()


def test_the_camera_is_left_and_nothing_beside(unit: dict[str, list[str]]) -> None:
    assert one(unit, "Service.DevicePolicy") == "closed"
    assert unit["Service.DeviceAllow"] == [
        "char-video4linux rw",
        "char-media rw",
        "char-dma_heap rw",
        "/dev/vcio rw",
        "/dev/vchiq rw",
    ]
    # The first removes the camera, the second /proc/cpuinfo, by which LiteRT finds its kernels on ARM.
    assert not {"Service.PrivateDevices", "Service.ProcSubset"} & set(unit)
    assert one(unit, "Service.RestrictAddressFamilies") == "AF_UNIX AF_NETLINK"
    assert one(unit, "Service.PrivateNetwork") == "yes"


def test_no_picture_goes_to_a_disk(unit: dict[str, list[str]]) -> None:
    assert one(unit, "Service.MemorySwapMax") == "0"
    assert one(unit, "Service.LimitCORE") == "0"
    assert one(unit, "Service.UMask") == "0077"


def test_every_setting_of_the_network_drop_in_undoes_one(unit: dict[str, list[str]]) -> None:
    drop_in = read("fer-edge-network.conf")
    assert one(drop_in, "Service.PrivateNetwork") == "no"
    assert one(drop_in, "Service.RestrictAddressFamilies") == "AF_INET AF_INET6"
    assert one(drop_in, "Service.IPAddressDeny") == ""
    assert {key for key in drop_in if key.startswith("Service.")} <= set(unit)


def test_the_template_is_the_unit_bound_to_its_camera() -> None:
    template, unit = UNITS / "fer-edge@.service", UNITS / "fer-edge.service"
    # systemd takes no link from the one name to the other, and unit files include no others.
    assert not template.is_symlink()
    assert template.read_bytes().startswith(unit.read_bytes())
    settings = read(template.name)
    assert one(settings, "Unit.BindsTo") == settings["Unit.After"][-1] == "dev-%i.device"
    assert settings["Install.WantedBy"] == ["multi-user.target", "", "dev-%i.device"]
    allowed = settings["Service.DeviceAllow"]
    assert allowed[allowed.index("") :][:2] == ["", "/dev/%I rw"]
    assert 'SUBSYSTEM=="video4linux", TAG+="systemd"' in (UNITS / "fer-edge.rules").read_text()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Give a system of units, with programs that are there and do nothing."""
    units = tmp_path / "etc/systemd/system"
    shutil.copytree(SYSTEM_UNITS, tmp_path / "usr/lib/systemd/system", symlinks=True)
    for program in ("usr/bin/kill", "usr/bin/modprobe", "opt/fer-edge/bin/fer-edge"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    for folder in ("bin", "sbin"):
        (tmp_path / folder).symlink_to("usr/bin")
    (units / "fer-edge.service.d").mkdir(parents=True)
    for name in ("fer-edge.service", "fer-edge@.service"):
        shutil.copy(UNITS / name, units)
    return tmp_path


def open_network(tree: Path) -> None:
    shutil.copy(UNITS / "fer-edge-network.conf", tree / "etc/systemd/system/fer-edge.service.d/network.conf")


def analyze(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", f"--root={tree}", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def verify(tree: Path, unit: str = "fer-edge.service") -> subprocess.CompletedProcess[str]:
    return analyze(tree, "verify", "--man=no", "--recursive-errors=one", unit)


def security(tree: Path, threshold: int, unit: str = "fer-edge.service") -> subprocess.CompletedProcess[str]:
    return analyze(tree, "security", "--offline=yes", "--no-pager", f"--threshold={threshold}", unit)


@needs_systemd_analyze
@pytest.mark.parametrize("unit", ["fer-edge.service", INSTANCE])
def test_systemd_understands_every_word(tree: Path, unit: str) -> None:
    done = verify(tree, unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd_analyze
def test_systemd_understands_the_network_drop_in_and_would_tell_of_a_mistake(tree: Path) -> None:
    open_network(tree)
    done = verify(tree)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    unit = tree / "etc/systemd/system/fer-edge.service"
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    done = verify(tree)
    assert done.returncode == 1
    assert "'WatchdogSecs'" in done.stderr


@needs_systemd_analyze
@pytest.mark.parametrize("unit", ["fer-edge.service", INSTANCE])
def test_exposure_is_at_most_1_5(tree: Path, unit: str) -> None:
    done = security(tree, 15, unit)
    assert done.returncode == 0, done.stdout


@needs_systemd_analyze
def test_exposure_is_at_most_2_with_the_network_and_would_fail_without_the_sandbox(tree: Path) -> None:
    open_network(tree)
    done = security(tree, 20)
    assert done.returncode == 0, done.stdout
    loose = tree / "etc/systemd/system/fer-edge.service.d/loose.conf"
    loose.write_text("[Service]\nSystemCallFilter=\nCapabilityBoundingSet=~\n")
    assert security(tree, 20).returncode == 1


@needs_systemd_analyze
def test_an_instance_is_wanted_by_its_device_alone(tree: Path) -> None:
    subprocess.run(["systemctl", f"--root={tree}", "--quiet", "enable", INSTANCE], check=True, capture_output=True)
    links = [path.relative_to(tree / "etc/systemd/system") for path in (tree / "etc").rglob("*") if path.is_symlink()]
    assert links == [Path(f"dev-video0.device.wants/{INSTANCE}")]
