"""The checks of `fer-edge doctor` that read files, on made trees of a Pi 3, 4, 5 and a PC."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fer_edge.board import NO_VCGENCMD, Answer, Board, ask_firmware
from fer_edge.doctor import Finding, clock, health, resources, system

Tree = dict[str, str]


def pi(model: str, part: str, millidegrees: int, bits: int = 0, governor: str = "ondemand", soc: str = "soc") -> Tree:
    """Give what a Raspberry Pi's kernel shows."""
    cpu = "sys/devices/system/cpu"
    tree = {
        "proc/device-tree/model": f"Raspberry Pi {model}\0",
        "proc/cpuinfo": f"processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: {part}\n" * 4,
        "proc/meminfo": "MemTotal:        3884312 kB\nMemFree:         2718020 kB\nMemAvailable:    3368720 kB\n",
        "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\n',
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
        "sys/class/thermal/thermal_zone0/temp": f"{millidegrees}\n",
        f"sys/devices/platform/{soc}/{soc}:firmware/get_throttled": f"{bits:x}\n",
        f"{cpu}/online": "0-3\n",
    }
    for number in range(4):
        tree[f"{cpu}/cpu{number}/cpufreq/scaling_cur_freq"] = "1500000\n"
        tree[f"{cpu}/cpu{number}/cpufreq/scaling_governor"] = f"{governor}\n"
    return tree


PI_3 = pi("3 Model B Plus Rev 1.3", "0xd03", 60_148, 0x80000)
PI_4 = pi("4 Model B Rev 1.1", "0xd08", 82_303, 0xE0006)
PI_5 = pi("5 Model B Rev 1.0", "0xd0b", 51_250, soc="soc@107c000000")
PC = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD Ryzen 7 5700U\ncpu MHz\t\t: 1800.0\n",
    "proc/meminfo": PI_4["proc/meminfo"],
    "etc/os-release": "PRETTY_NAME='Ubuntu 24.04.1 LTS'\n",
}


@pytest.fixture
def make(tmp_path: Path) -> Callable[[Tree], Board]:
    """Give a function that writes a tree of files; the board on it has no `vcgencmd`."""

    def write(tree: Tree) -> Board:
        for name, content in tree.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return Board(tmp_path, lambda command: None)

    return write


def firmware(text: str | None, problem: str | None = None) -> Callable[[str], Answer]:
    def ask(command: str) -> Answer:
        assert command == "get_throttled"
        return Answer(text, problem)

    return ask


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(one.level, one.found) for one in findings]


@pytest.mark.parametrize(
    ("tree", "board", "temperature", "throttling", "governor"),
    [
        pytest.param(
            PI_3,
            "Raspberry Pi 3 Model B Plus Rev 1.3, Cortex-A53, 4 processors",
            ("ok", "60.1 C, slowed down from 80 C"),
            ("warning", "soft temperature limit since boot"),
            ("ok", "ondemand, 1500 MHz now"),
            id="Pi 3",
        ),
        pytest.param(
            PI_4,
            "Raspberry Pi 4 Model B Rev 1.1, Cortex-A72, 4 processors",
            ("warning", "82.3 C, slowed down from 80 C"),
            (
                "warning",
                "frequency capped now, throttled now, frequency capped since boot, throttled since boot, soft "
                "temperature limit since boot",
            ),
            ("ok", "ondemand, 1500 MHz now"),
            id="Pi 4",
        ),
        pytest.param(
            PI_5,
            "Raspberry Pi 5 Model B Rev 1.0, Cortex-A76, 4 processors",
            ("ok", "51.2 C, slowed down from 80 C"),
            ("ok", "none now, none since boot"),
            ("ok", "ondemand, 1500 MHz now"),
            id="Pi 5",
        ),
        pytest.param(
            PC,
            "no Raspberry Pi, AMD Ryzen 7 5700U",
            ("ok", "this machine does not tell"),
            ("ok", "this machine does not tell"),
            ("ok", "this machine does not tell, 1800 MHz now"),
            id="PC",
        ),
    ],
)
def test_boards(
    make: Callable[[Tree], Board],
    tree: Tree,
    board: str,
    temperature: tuple[str, str],
    throttling: tuple[str, str],
    governor: tuple[str, str],
) -> None:
    made = make(tree)
    assert told(system.board(made)) == [("ok", board)]
    assert told(health.temperature(made)) == [temperature]
    assert told(health.throttling(made, firmware(None, NO_VCGENCMD))) == [throttling]
    assert told(health.governor(made)) == [governor]


@pytest.mark.parametrize(
    ("millidegrees", "level"), [(74_900, "ok"), (75_000, "warning"), (85_000, "warning"), (-5_000, "ok")]
)
def test_temperatures(make: Callable[[Tree], Board], millidegrees: int, level: str) -> None:
    (found,) = health.temperature(make(pi("4 Model B", "0xd08", millidegrees)))
    assert found.level == level
    assert (found.advice is None) == (level == "ok")


@pytest.mark.parametrize(
    ("bits", "level", "words", "advice"),
    [
        (0x0, "ok", "none now, none since boot", ()),
        (0x1, "failure", "under-voltage now", ("power supply",)),
        (0x2, "warning", "frequency capped now", ("cool it",)),
        (0x4, "warning", "throttled now", ("cool it",)),
        (0x8, "warning", "soft temperature limit now", ("cool it",)),
        (0x10000, "warning", "under-voltage since boot", ("power supply", "restart")),
        (0x20000, "warning", "frequency capped since boot", ("cool it", "restart")),
        (0x40000, "warning", "throttled since boot", ("cool it", "restart")),
        (0x80000, "warning", "soft temperature limit since boot", ("cool it", "restart")),
        (
            0x50005,
            "failure",
            "under-voltage now, throttled now, under-voltage since boot, throttled since boot",
            ("power supply",),
        ),
        (
            0x90000,
            "warning",
            "under-voltage since boot, soft temperature limit since boot",
            ("power supply", "cool it", "restart"),
        ),
    ],
)
def test_every_bit_of_get_throttled(
    make: Callable[[Tree], Board], bits: int, level: str, words: str, advice: tuple[str, ...]
) -> None:
    # The firmware's answer counts, whatever the kernel's file says.
    (found,) = health.throttling(make(PI_4), firmware(f"throttled={bits:#x}\n"))
    assert (found.level, found.found) == (level, words)
    given = [word for word in ("power supply", "cool it", "restart") if word in (found.advice or "")]
    assert given == list(advice)


@pytest.mark.parametrize(
    ("answer", "found", "advice"),
    [
        (firmware(None, NO_VCGENCMD), "vcgencmd is not installed", "sudo apt install raspi-utils"),
        (firmware(None, "vcgencmd failed with 255: VCHI initialization failed"), "VCHI", "usermod -aG video"),
        (firmware(None, "vcgencmd gave no answer within 2 s"), "gave no answer within 2 s", "restart the board"),
        (firmware('error=1 error_msg="Command not registered"\n'), "vcgencmd answered 'error=1", "usermod"),
    ],
)
def test_a_raspberry_pi_that_does_not_tell(
    make: Callable[[Tree], Board], answer: Callable[[str], Answer], found: str, advice: str
) -> None:
    silent = {name: content for name, content in PI_4.items() if not name.endswith("get_throttled")}
    (one,) = health.throttling(make(silent), answer)
    assert one.level == "warning"
    assert found in one.found
    assert advice in (one.advice or "")


def test_a_real_command_that_hangs_is_given_up_and_told(
    make: Callable[[Tree], Board], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin/vcgencmd"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/process\nsleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    first, second = health.throttling(make(PI_5), ask_firmware)
    assert (first.level, first.found) == ("warning", "vcgencmd gave no answer within 2 s")
    # The kernel's file tells in its place.
    assert (second.level, second.found) == ("ok", "none now, none since boot")
    process = Path("/proc") / (tmp_path / "process").read_text().strip()
    deadline = time.monotonic() + 30
    while process.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not process.exists()


def test_a_governor_that_saves_power(make: Callable[[Tree], Board]) -> None:
    (found,) = health.governor(make(pi("4 Model B", "0xd08", 50_000, governor="powersave")))
    assert found.level == "warning"
    assert "scaling_governor" in (found.advice or "")


@pytest.mark.parametrize(
    ("machine", "bits", "python", "level", "advice"),
    [
        ("aarch64", 64, (3, 13), "ok", None),
        ("x86_64", 64, (3, 11), "ok", None),
        ("armv7l", 32, (3, 11), "ok", None),
        ("armv7l", 32, (3, 13), "failure", "64-bit Raspberry Pi OS"),
        ("aarch64", 32, (3, 11), "warning", "arm_64bit=0"),
        ("armv6l", 32, (3, 11), "failure", "Pi Zero 2 W"),
    ],
)
def test_systems(
    make: Callable[[Tree], Board], machine: str, bits: int, python: tuple[int, int], level: str, advice: str | None
) -> None:
    (found,) = system.system(make(PI_4).root, machine=machine, bits=bits, python=python)
    assert found.level == level
    assert found.found.startswith("Debian GNU/Linux 12 (bookworm), Linux ")
    assert found.found.endswith(f" {machine}, {bits}-bit programs")
    assert (advice or "") in (found.advice or "")
    assert (found.advice is None) == (advice is None)


def test_the_name_of_a_system_in_either_place(make: Callable[[Tree], Board]) -> None:
    (found,) = system.system(make({"usr/lib/os-release": "ID=x\nPRETTY_NAME=Plain\n"}).root, bits=64)
    assert found.found.startswith("Plain, Linux ")
    (found,) = system.system(make({"usr/lib/os-release": "ID=x\n"}).root, bits=64)
    assert found.found.startswith("unknown system, Linux ")


@pytest.mark.parametrize(
    ("available", "level", "found"),
    [
        (3_368_720, "ok", "3,449 of 3,977 MB free"),
        (195_312, "warning", "199 of 3,977 MB free"),
        (97_000, "failure", "99 of 3,977 MB free, a run takes some 100"),
        (0, "failure", "0 of 3,977 MB free, a run takes some 100"),
    ],
)
def test_memory(make: Callable[[Tree], Board], available: int, level: str, found: str) -> None:
    text = f"MemTotal:        3884312 kB\nMemFree:         9 kB\nMemAvailable:    {available} kB\n"
    assert told(resources.memory(make({"proc/meminfo": text}).root)) == [(level, found)]


@pytest.mark.parametrize("text", ["", "MemTotal: x kB\n", "MemTotal: 5 kB\n", "MemAvailable:\n"])
def test_memory_that_is_not_told(make: Callable[[Tree], Board], text: str) -> None:
    assert told(resources.memory(make({"proc/meminfo": text}).root)) == [("ok", "this machine does not tell")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of 1 MB and 16 files, in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=1m,nr_inodes=16", "none", str(folder)]
    if os.geteuid() or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("mounting is for root, outside of containers")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_full(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "file").write_bytes(bytes(2 << 20))
    (found,) = resources.disk([small_disk])
    assert (found.level, found.found) == ("failure", f"0 of 1 MB free at {small_disk}")
    assert "journalctl --vacuum" in (found.advice or "")


def test_a_disk_with_too_many_files(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        [(small_disk / str(number)).touch() for number in range(100)]
    (found,) = resources.disk([small_disk])
    assert (found.level, found.found) == ("failure", f"1 of 1 MB free at {small_disk}, but no room for another file")


def test_a_disk_that_may_not_be_written(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    (found,) = resources.disk([small_disk])
    assert (found.level, found.found) == ("warning", f"1 of 1 MB free at {small_disk}, which may not be written")


def disk(blocks: int, free: int, files: int = 100, free_files: int = 100, flags: int = 0) -> os.statvfs_result:
    """Give what the kernel says of a file system with blocks of 1 MB."""
    size = 10**6
    return os.statvfs_result((size, size, blocks, free, free, files, free_files, free_files, flags, 255))


@pytest.mark.parametrize(
    ("room", "level", "found"),
    [
        (disk(31_000, 21_000), "ok", "21,000 of 31,000 MB free at {}"),
        (disk(31_000, 499), "warning", "499 of 31,000 MB free at {}"),
        (disk(31_000, 19), "failure", "19 of 31,000 MB free at {}"),
        (disk(31_000, 0), "failure", "0 of 31,000 MB free at {}"),
        (disk(31_000, 900, free_files=0), "failure", "900 of 31,000 MB free at {}, but no room for another file"),
        # Btrfs has no fixed number of files.
        (disk(31_000, 900, files=0, free_files=0), "ok", "900 of 31,000 MB free at {}"),
        (disk(31_000, 0, flags=os.ST_RDONLY), "warning", "0 of 31,000 MB free at {}, which may not be written"),
    ],
)
def test_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, room: os.statvfs_result, level: str, found: str) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: room)
    # One file system, one line.
    assert told(resources.disk([tmp_path, tmp_path.parent])) == [(level, found.format(tmp_path))]


def test_a_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    first, second = resources.disk([tmp_path, Path()])
    assert first.found.endswith(f"free at {tmp_path}")
    assert (second.level, second.advice) == ("warning", "go to another folder")


@pytest.mark.parametrize(
    ("error_us", "level", "found"),
    [
        (0, "ok", "synchronised, wrong by at most 0.000 s"),
        (31_650, "ok", "synchronised, wrong by at most 0.032 s"),
        (15_999_999, "ok", "synchronised, wrong by at most 16.000 s"),
        (16_000_000, "warning", "not synchronised"),
    ],
)
def test_the_clock(error_us: int, level: str, found: str) -> None:
    assert told(clock.clock(lambda: error_us)) == [(level, found)]


def test_a_clock_that_nobody_may_ask() -> None:
    def refuse() -> int:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    assert told(clock.clock(refuse)) == [("ok", "this machine does not tell: [Errno 1] Operation not permitted")]


def test_the_kernel_tells_of_its_clock_by_another_call_the_same() -> None:
    content = ctypes.create_string_buffer(1024)
    if ctypes.CDLL(None).clock_adjtime(time.CLOCK_REALTIME, content) < 0:
        pytest.skip("this machine does not tell")
    _modes, _offset, _frequency, error_us, estimated_us, status = struct.unpack_from("Illlli", content)
    # What nobody takes down grows by 500 microseconds a second; what somebody has just taken down is less.
    assert abs(clock.largest_error_us() - error_us) < 1_000_000
    assert 0 <= estimated_us <= 16_000_000
    assert 0 <= status < 1 << 16


def test_files_that_say_nothing(make: Callable[[Tree], Board]) -> None:
    board = make(dict.fromkeys(PI_4, ""))
    findings = [
        *system.board(board),
        *system.system(board.root, bits=64),
        *health.temperature(board),
        *health.throttling(board, firmware(None, NO_VCGENCMD)),
        *health.governor(board),
        *resources.memory(board.root),
    ]
    assert {one.level for one in findings} == {"ok"}
    assert len(findings) == 6
