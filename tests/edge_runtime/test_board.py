from __future__ import annotations

import errno
import os
import platform
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from boards import CPU, FIRMWARE, PI_3, PI_4, PI_5, X86, ZERO_2_W, ZONE, Tree, arm, frequencies
from fer_edge.board import NO_VCGENCMD, Answer, Board, ProcessorTime, ask_firmware, vcgencmd


@pytest.fixture
def board(tmp_path: Path) -> Callable[..., Board]:
    """Give a function that makes a board of a tree of files; its firmware gives the answer, or none."""

    def make(tree: Tree, answer: str | None = None) -> Board:
        for name, content in tree.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode("latin-1"))
        return Board(tmp_path, lambda command: answer if command == "get_throttled" else None)

    return make


@pytest.mark.parametrize(
    ("tree", "model", "processor", "online", "temperature", "limit", "throttled", "megahertz", "governor"),
    [
        pytest.param(
            PI_3,
            "Raspberry Pi 3 Model B Plus Rev 1.3",
            "Cortex-A53",
            4,
            60.148,
            80.0,
            ("soft temperature limit now", "soft temperature limit since boot"),
            (1400.0,) * 4,
            "ondemand",
            id="Pi 3",
        ),
        pytest.param(
            ZERO_2_W,
            "Raspberry Pi Zero 2 W Rev 1.0",
            "Cortex-A53",
            4,
            45.622,
            80.0,
            (),
            (1000.0,) * 4,
            "schedutil",
            id="Zero 2 W",
        ),
        pytest.param(
            PI_4,
            "Raspberry Pi 4 Model B Rev 1.1",
            "Cortex-A72",
            4,
            82.303,
            80.0,
            (
                "frequency capped now",
                "throttled now",
                "frequency capped since boot",
                "throttled since boot",
                "soft temperature limit since boot",
            ),
            (1500.0,) * 4,
            "ondemand",
            id="Pi 4",
        ),
        pytest.param(
            PI_5,
            "Raspberry Pi 5 Model B Rev 1.0",
            "Cortex-A76",
            4,
            51.25,
            80.0,
            (),
            (2400.0,) * 4,
            "ondemand",
            id="Pi 5",
        ),
        pytest.param(
            X86,
            None,
            "11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz",
            3,
            64.5,
            95.0,
            None,
            (4690.102, 400.0, 2800.5),
            None,
            id="x86",
        ),
    ],
)
def test_all_that_a_board_tells(
    board: Callable[..., Board],
    tree: Tree,
    model: str | None,
    processor: str,
    online: int,
    temperature: float,
    limit: float,
    throttled: tuple[str, ...] | None,
    megahertz: tuple[float, ...],
    governor: str | None,
) -> None:
    found = board(tree)
    assert found.model() == model
    assert found.processor() == processor
    assert found.online() == online
    assert found.temperature() == temperature
    assert found.temperature_limit() == limit
    assert found.throttled() == throttled
    assert found.megahertz() == megahertz
    assert found.governor() == governor


PROBES = ("model", "processor", "online", "temperature", "temperature_limit", "throttled", "megahertz", "governor")


@pytest.mark.parametrize(
    "content",
    ["", "\n", "\0", "garbage\n", "\xff\xfe\x80", "-\n", "1 2 3\n", "0x\n", "nan\n", "9" * 5000],
)
def test_malformed_files_tell_nothing(board: Callable[..., Board], content: str) -> None:
    whole = PI_3 | PI_5 | ZERO_2_W | X86 | {"proc/stat": ""}
    # Names are whatever the files say, and of a Raspberry Pi the limit is known without a file; all else has a form.
    names = ("/model", "/scaling_governor", "/type")
    found = board({name: content for name in whole if not name.endswith(names)}, answer=content)
    for name in whole:
        if name.endswith("/type"):
            board({name: "cpu-thermal\n"})
    assert {probe: getattr(found, probe)() for probe in (*PROBES, "processor_time")} == dict.fromkeys(
        (*PROBES, "processor_time")
    )


def test_empty_names_are_none(board: Callable[..., Board]) -> None:
    found = board({**dict.fromkeys(PI_4, ""), f"{CPU}/cpu1/cpufreq/scaling_governor": "ondemand\n"})
    assert {probe: getattr(found, probe)() for probe in PROBES} == dict.fromkeys(PROBES)


def test_no_files_at_all(tmp_path: Path) -> None:
    found = Board(tmp_path, lambda command: None)
    assert [getattr(found, probe)() for probe in (*PROBES, "processor_time")] == [None] * 9


def test_folders_in_place_of_files(board: Callable[..., Board]) -> None:
    found = board({f"{name}/within": "0\n" for name in (*PI_4, "proc/stat")})
    assert [getattr(found, probe)() for probe in (*PROBES, "processor_time")] == [None] * 9


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EAGAIN, errno.ENODATA, errno.EIO])
def test_files_that_may_not_be_read(board: Callable[..., Board], monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    found = board({**PI_4, "proc/stat": "cpu  1 2 3 4 5 6 7 8 9 10\n"})

    def refuse(path: Path) -> bytes:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert [getattr(found, probe)() for probe in (*PROBES, "processor_time")] == [None] * 9


def test_files_of_another_user(board: Callable[..., Board], tmp_path: Path) -> None:
    found = board({**PI_4, "proc/stat": "cpu  1 2 3 4 5 6 7 8 9 10\n"})
    user = os.geteuid()
    tmp_path.chmod(0)
    if user == 0:  # whom no mode keeps out
        os.seteuid(65534)
    try:
        told = [getattr(found, probe)() for probe in (*PROBES, "processor_time")]
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o700)
    assert told == [None] * 9
    assert found.temperature() == 82.303


def test_sensors_behind_links_as_the_kernel_has_them(board: Callable[..., Board], tmp_path: Path) -> None:
    found = board({name.replace("sys/class", "sys/devices/virtual"): content for name, content in X86.items()})
    links = tmp_path / "sys/class/thermal"
    links.mkdir(parents=True)
    for number in range(3):
        (links / f"thermal_zone{number}").symlink_to(f"../../devices/virtual/thermal/thermal_zone{number}")
    assert (found.temperature(), found.temperature_limit()) == (64.5, 95.0)


def test_of_two_sensors_the_one_that_answers(board: Callable[..., Board]) -> None:
    tree = {f"{ZONE}0/type": "soc-thermal", f"{ZONE}0/temp": "", f"{ZONE}1/type": "cpu0-thermal", f"{ZONE}1/temp": "-5"}
    assert board(tree).temperature() == -0.005


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x0, ()),
        (0x1, ("under-voltage now",)),
        (0x2, ("frequency capped now",)),
        (0x4, ("throttled now",)),
        (0x8, ("soft temperature limit now",)),
        (0x10000, ("under-voltage since boot",)),
        (0x20000, ("frequency capped since boot",)),
        (0x40000, ("throttled since boot",)),
        (0x80000, ("soft temperature limit since boot",)),
        (0x50005, ("under-voltage now", "throttled now", "under-voltage since boot", "throttled since boot")),
        # Bits that nobody has told of.
        (0xFFF0FFF0, ()),
    ],
)
def test_every_bit_of_the_firmware(board: Callable[..., Board], bits: int, words: tuple[str, ...]) -> None:
    # What vcgencmd says goes before the file, which says the opposite here.
    assert board({FIRMWARE: f"{~bits & 0xF000F:x}\n"}, answer=f"throttled={bits:#x}\n").throttled() == words
    assert board({FIRMWARE: f"{bits:x}\n"}).throttled() == words


@pytest.mark.parametrize(
    "answer",
    [None, "", "VCHI initialization failed\n", 'error=1 error_msg="Command not registered"\n', "throttled=0x\n"],
)
def test_a_firmware_without_an_answer(board: Callable[..., Board], answer: str | None) -> None:
    assert board({}, answer).throttled() is None
    assert board({FIRMWARE: "1\n"}, answer).throttled() == ("under-voltage now",)


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("echo throttled=0x$1", "throttled=0xget_throttled\n"),
        ("echo VCHI initialization failed; exit 255", None),
        ("printf '\\377'", "\ufffd"),
    ],
)
def test_asking_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, answer: str | None) -> None:
    program = tmp_path / "vcgencmd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert vcgencmd("get_throttled") == answer


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("#!/bin/sh\necho throttled=0x0\n", Answer("throttled=0x0\n")),
        (
            "#!/bin/sh\necho VCHI initialization failed >&2\necho more\nexit 255\n",
            Answer(None, "vcgencmd failed with 255: VCHI initialization failed"),
        ),
        ("#!/bin/sh\nexit 1\n", Answer(None, "vcgencmd failed with 1: it says nothing")),
        ("#!/bin/sh\nexec /bin/sleep 600\n", Answer(None, "vcgencmd gave no answer within 0.2 s")),
        ("not a program", Answer(None, "vcgencmd cannot be run: Exec format error")),
        (None, Answer(None, NO_VCGENCMD)),
    ],
)
def test_why_there_is_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, answer: Answer
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        program = tmp_path / "vcgencmd"
        program.write_text(script)
        program.chmod(0o755)
    if "sleep" in (script or ""):
        monkeypatch.setattr("fer_edge.board._ANSWER_S", 0.2)
    assert ask_firmware("get_throttled") == answer


def test_a_command_that_hangs_or_is_missing_or_may_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert vcgencmd("get_throttled") is None
    program = tmp_path / "vcgencmd"
    program.write_text("not a program")
    assert vcgencmd("get_throttled") is None
    program.write_text("#!/bin/sh\nexec /bin/sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setattr("fer_edge.board._ANSWER_S", 0.2)
    assert vcgencmd("get_throttled") is None


@pytest.mark.parametrize(
    ("cpuinfo", "compatible", "expected"),
    [
        (arm("0xd05", 4), "arm,cortex-a55\0", "Cortex-A55"),
        (arm("0xd05", 4), "arm,cortex-a78ae\0", "Cortex-A78AE"),
        (arm("0xd05", 4), "arm,armv8\0", "0x41 0xd05"),
        (arm("0xd05", 4), "", "0x41 0xd05"),
        (arm("0xd03", 4) + arm("0xd08", 2), "arm,cortex-a53\0", "Cortex-A53 and Cortex-A72"),
        # The first core is no other kind's name.
        (arm("0xd05", 4) + arm("0xd0b", 4), "arm,cortex-a55\0", "0x41 0xd05 and Cortex-A76"),
        (arm("0xd0b", 4).replace("0x41", "0x51"), "", "0x51 0xd0b"),
        (arm("0xc07", 4, extra="model name\t: ARMv7 Processor rev 5 (v7l)\n"), "", "Cortex-A7"),
        ("", "arm,cortex-a72\0", "Cortex-A72"),
        ("processor\t: 0\nhart\t\t: 0\nisa\t\t: rv64imafdc\n", "", None),
    ],
)
def test_names_of_processors(board: Callable[..., Board], cpuinfo: str, compatible: str, expected: str | None) -> None:
    tree = {"proc/cpuinfo": cpuinfo, "proc/device-tree/cpus/cpu@0/compatible": compatible}
    assert board(tree).processor() == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0\n", 1), ("0-3\n", 4), ("0,2-3\n", 3), ("1-2,5,8-11\n", 7), ("0-\n", None), ("a-b\n", None), (",\n", None)],
)
def test_online_processors(board: Callable[..., Board], text: str, expected: int | None) -> None:
    assert board({f"{CPU}/online": text}).online() == expected


def test_frequencies_in_the_order_of_processors(board: Callable[..., Board]) -> None:
    tree = {f"{CPU}/cpu{number}/cpufreq/scaling_cur_freq": f"{number}000\n" for number in (0, 1, 2, 10, 11)}
    assert board(tree).megahertz() == (0.0, 1.0, 2.0, 10.0, 11.0)


def test_a_processor_without_frequency_leaves_the_other_source(board: Callable[..., Board]) -> None:
    tree = {**frequencies(2_000_000, 2), f"{CPU}/cpu1/cpufreq/scaling_cur_freq": "<unknown>\n"}
    assert board(tree).megahertz() is None
    assert board({**tree, "proc/cpuinfo": "cpu MHz\t: 2596.138\n\ncpu MHz\t: 1800\n"}).megahertz() == (2596.138, 1800.0)


@pytest.mark.parametrize("text", ["nan", "inf", "fast", "1.2.3"])
def test_a_frequency_that_is_no_number(board: Callable[..., Board], text: str) -> None:
    assert board({"proc/cpuinfo": f"cpu MHz\t: 2596.138\n\ncpu MHz\t: {text}\n"}).megahertz() is None


def test_governors_that_differ(board: Callable[..., Board]) -> None:
    tree = {**frequencies(2_000_000, 2), f"{CPU}/cpu1/cpufreq/scaling_governor": "performance\n"}
    assert board(tree).governor() == "mixed"


def test_processor_time_counts_work_alone(board: Callable[..., Board]) -> None:
    # user nice system idle iowait irq softirq steal guest guest_nice; the total first, each processor after it.
    stat_text = "cpu  100 2000 30000 400000 5000000 70 700 9000 90 1900\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5 5\n"
    second = os.sysconf("SC_CLK_TCK")
    found = board({"proc/stat": stat_text}).processor_time()
    assert found == ProcessorTime(busy=(100 + 2000 + 30000 + 70 + 700) / second, stolen=9000 / second)


@pytest.mark.parametrize(
    "text",
    [
        "cpu  1 2 3 4 5 6 7\n",
        "cpu0 1 2 3 4 5 6 7 8 9 10\n",
        "cpu  1 2 3 x 5 6 7 8\n",
        f"cpu  1 2 3 4 5 6 7 {'8' * 5000}\n",
    ],
)
def test_processor_time_of_another_form(board: Callable[..., Board], text: str) -> None:
    assert board({"proc/stat": text}).processor_time() is None


@pytest.mark.skipif(platform.system() != "Linux", reason="reads Linux's files")
def test_this_machine() -> None:
    found = Board()
    assert found.processor()
    assert (found.online() or 0) >= len(os.sched_getaffinity(0))
    temperature = found.temperature()
    assert temperature is None or -40 < temperature < 130
    first = found.processor_time()
    assert first is not None
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    second = found.processor_time()
    assert second is not None
    # Two ticks at either end may be counted on the other side of a reading.
    assert second.busy - first.busy > 0.15
