from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from fer_bench.energy import Integral, PackageMeter, RailMeter, open_meter, watts

POWERCAP = "sys/class/powercap"
# A Raspberry Pi 5 at rest: the numbers in brackets are of the channel, not of the rail.
RAILS = """\
 3V7_WL_SW_A current(0)=0.00195210A
   3V3_SYS_A current(1)=0.06245952A
   1V8_SYS_A current(2)=0.16102850A
  DDR_VDD2_A current(3)=0.00780744A
  DDR_VDDQ_A current(4)=0.00000000A
   1V1_SYS_A current(5)=0.17566740A
    0V8_SW_A current(6)=0.32791250A
  VDD_CORE_A current(7)=0.87674000A
   3V3_DAC_A current(17)=0.00036630A
   3V3_ADC_A current(18)=0.00042735A
   0V8_AON_A current(16)=0.00579975A
      HDMI_A current(22)=0.01367520A
 3V7_WL_SW_V volt(8)=3.69730400V
   3V3_SYS_V volt(9)=3.30632200V
   1V8_SYS_V volt(10)=1.79828900V
  DDR_VDD2_V volt(11)=1.10292900V
  DDR_VDDQ_V volt(12)=0.60476130V
   1V1_SYS_V volt(13)=1.10439400V
    0V8_SW_V volt(14)=0.80256330V
  VDD_CORE_V volt(15)=0.89745940V
   3V3_DAC_V volt(20)=3.30494200V
   3V3_ADC_V volt(21)=3.30219400V
   0V8_AON_V volt(19)=0.79736190V
      HDMI_V volt(23)=5.07056000V
     EXT5V_V volt(24)=5.06788000V
      BATT_V volt(25)=3.01110800V
"""
# The sum of the twelve products, worked out apart from the code.
RAILS_WATTS = 1.83252


def nobody(command: str) -> None:
    """Answer as a machine without a Raspberry Pi's firmware."""


def write(root: Path, name: str, content: object) -> None:
    path = root / POWERCAP / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{content}\n")


def package(root: Path, number: int, microjoules: int, largest: int = 262_143_328_850) -> None:
    for name, content in (("name", f"package-{number}"), ("energy_uj", microjoules), ("max_energy_range_uj", largest)):
        write(root, f"intel-rapl:{number}/{name}", content)


def spent(root: Path, number: int, microjoules: int) -> None:
    write(root, f"intel-rapl:{number}/energy_uj", microjoules)


def test_the_energy_of_a_package(tmp_path: Path) -> None:
    package(tmp_path, 0, 5_000_000)
    meter = open_meter(tmp_path, nobody)
    assert isinstance(meter, PackageMeter)
    assert meter.name == "processor package, by RAPL"
    first = meter.read()
    assert first is not None
    spent(tmp_path, 0, 17_500_000)
    second = meter.read()
    assert second is not None
    assert second - first == pytest.approx(12.5)
    meter.close()
    assert meter.read() is None


def test_parts_of_a_package_and_the_platform_are_not_counted_twice(tmp_path: Path) -> None:
    zones = {
        "intel-rapl:0:0": "core",
        "intel-rapl:0:1": "dram",
        "intel-rapl:2": "psys",
        "intel-rapl-mmio:0": "package-0",
    }
    package(tmp_path, 0, 0)
    package(tmp_path, 1, 0)
    for zone, name in zones.items():
        for file, content in (("name", name), ("energy_uj", 0), ("max_energy_range_uj", 65_532_610_987)):
            write(tmp_path, f"{zone}/{file}", content)
    meter = open_meter(tmp_path, nobody)
    assert meter is not None
    assert meter.name == "2 processor packages, by RAPL"
    assert meter.read() == 0
    for zone in zones:
        write(tmp_path, f"{zone}/energy_uj", 1_000_000_000)
    assert meter.read() == 0
    spent(tmp_path, 0, 3_000_000)
    spent(tmp_path, 1, 4_000_000)
    assert meter.read() == pytest.approx(7)


def test_a_counter_that_starts_anew(tmp_path: Path) -> None:
    package(tmp_path, 0, 262_143_000_000)
    package(tmp_path, 1, 65_000_000_000, largest=65_532_610_987)
    meter = open_meter(tmp_path, nobody)
    assert meter is not None
    assert meter.read() == 0
    spent(tmp_path, 0, 671_150)
    assert meter.read() == pytest.approx(1.0)
    spent(tmp_path, 0, 1_671_150)
    spent(tmp_path, 1, 467_389_013)
    assert meter.read() == pytest.approx(1002.0)
    assert meter.read() == pytest.approx(1002.0)


@pytest.mark.parametrize("file", ["energy_uj", "max_energy_range_uj"])
@pytest.mark.parametrize("content", ["", "garbage", None])
def test_a_counter_that_cannot_be_read(tmp_path: Path, file: str, content: str | None) -> None:
    package(tmp_path, 0, 1)
    package(tmp_path, 1, 1)
    meter = open_meter(tmp_path, nobody)
    assert meter is not None
    path = tmp_path / POWERCAP / "intel-rapl:1" / file
    kept = path.read_text()
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    # Never the other package alone.
    spent(tmp_path, 0, 2_000_001)
    assert meter.read() is None
    assert open_meter(tmp_path, nobody) is None
    path.write_text(kept)
    assert meter.read() == pytest.approx(2.0)


def test_counters_that_are_for_root_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, 0, 1)
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert open_meter(tmp_path, nobody) is None


def test_machines_without_a_meter(tmp_path: Path) -> None:
    assert open_meter(tmp_path, nobody) is None
    # What a Raspberry Pi 4 says.
    assert open_meter(tmp_path, lambda command: 'error=1 error_msg="Command not registered"\n') is None


def test_the_power_of_the_rails() -> None:
    assert watts(RAILS) == pytest.approx(RAILS_WATTS, abs=1e-4)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, None),
        ("", None),
        ("garbage\n", None),
        ('error=1 error_msg="Command not registered"\n', None),
        # Voltages alone are no power, nor are currents.
        ("EXT5V_V volt(24)=5.06788000V\n", None),
        ("VDD_CORE_A current(7)=2.00000000A\n", None),
        ("VDD_CORE_A current(7)=2.00000000A\n3V3_SYS_V volt(9)=3.30000000V\n", None),
        ("VDD_CORE_A current(7)=2.00000000A\nVDD_CORE_V volt(15)=0.90000000V\n", 1.8),
        ("VDD_CORE_V volt(15)=0.90000000V\r\n\r\nVDD_CORE_A current(7)=2.00000000A\r\n", 1.8),
        ("VDD_CORE_A current(7)=2.00000000A\nVDD_CORE_V volt(15)=0.90000000V\nHDMI_A current(22)=1.0A\n", 1.8),
        ("VDD_CORE_A current(7)=0.00000000A\nVDD_CORE_V volt(15)=0.90000000V\n", 0.0),
        # Cut off, or of another unit.
        ("VDD_CORE_A current(7)=2.0000", None),
        ("VDD_CORE_A current(7)=2.0V\nVDD_CORE_V volt(15)=0.9V\n", None),
        ("VDD_CORE_A current(7)=A\nVDD_CORE_V volt(15)=0.9V\n", None),
    ],
)
def test_answers_of_the_power_controller(answer: str | None, expected: float | None) -> None:
    assert watts(answer) == (None if expected is None else pytest.approx(expected))


def test_the_integral_of_a_changing_power() -> None:
    integral = Integral()
    assert integral.until(0.0) is None
    integral.add(2.0, at=10.0)
    assert integral.until(10.0) == 0
    integral.add(4.0, at=11.0)
    assert integral.until(11.0) == pytest.approx(3.0)
    # Until the next sample, the last one's power; what was given out is not taken back.
    assert integral.until(11.5) == pytest.approx(5.0)
    integral.add(0.0, at=12.0)
    assert integral.until(12.0) == pytest.approx(6.0)
    assert integral.until(13.0) == pytest.approx(6.0)


def test_no_integral_across_what_is_not_known() -> None:
    integral = Integral()
    integral.add(2.0, at=0.0)
    assert integral.until(2.0) == pytest.approx(4.0)
    assert integral.until(2.1) is None
    integral.add(2.0, at=2.2)
    assert integral.until(2.3) is None


def rails(power: float) -> str:
    return f"  VDD_CORE_A current(7)={power:.8f}A\n  VDD_CORE_V volt(15)=1.00000000V\n"


def test_a_raspberry_pi_5_is_sampled_while_the_load_runs(tmp_path: Path) -> None:
    asked = []

    def ask(command: str) -> str | None:
        asked.append((command, threading.current_thread() is threading.main_thread()))
        return rails(3.0)

    found = open_meter(tmp_path, ask)
    assert isinstance(found, RailMeter)
    assert "USB" in found.name
    meter = RailMeter(ask, every=0.01)
    began = time.monotonic()
    first = meter.read()
    sampled = len(asked)
    while len(asked) < sampled + 10:  # the load
        time.sleep(0.01)
    second = meter.read()
    seconds = time.monotonic() - began
    meter.close()
    assert first is not None
    assert second is not None
    # Of a constant power the integral is exact whenever the samples were taken; 11 of them are 0.1 s at the least.
    assert 3.0 * 0.09 < second - first < 3.0 * seconds
    assert {command for command, _ in asked} == {"pmic_read_adc"}
    assert [main for _, main in asked[sampled:]] == [False] * len(asked[sampled:])
    stopped = len(asked)
    time.sleep(0.1)
    assert len(asked) == stopped
    assert meter.read() is None


def test_power_that_differs_between_reads_is_seen() -> None:
    """What reading at the ends alone would miss: the load rests whenever the process that makes it asks."""
    busy = threading.Event()
    answers = []

    def ask(command: str) -> str:
        answers.append(9.0 if busy.is_set() else 1.0)
        return rails(answers[-1])

    meter = RailMeter(ask, every=0.01)
    try:
        meter.read()
        began = time.monotonic()
        busy.set()
        while answers.count(9.0) < 20:
            time.sleep(0.01)
        busy.clear()
        seconds, joules = time.monotonic() - began, meter.read()
    finally:
        meter.close()
    assert joules is not None
    # At rest it would have been 1 joule a second.
    assert joules > 3.0 * seconds


def test_a_power_controller_that_falls_silent() -> None:
    answers: list[str | None] = [rails(2.0)]
    now = [0.0]
    meter = RailMeter(lambda command: answers[0], clock=lambda: now[0], every=600.0)
    try:
        assert meter.read() == 0
        answers[0] = None
        now[0] = 1.0
        assert meter.read() == pytest.approx(2.0)
        now[0] = 10.0
        assert meter.read() is None
    finally:
        meter.close()


def test_this_machine() -> None:
    meter = open_meter()
    if meter is None:
        pytest.skip("this machine tells no energy")
    first = meter.read()
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        pass
    second = meter.read()
    meter.close()
    assert first is not None
    assert second is not None
    assert 0 < second - first < 0.5 * 2000
