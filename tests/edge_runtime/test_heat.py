from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fer_edge.board import Board
from fer_edge.settings.heat import HeatSettings
from fer_edge.supervision.heat import Cooling
from fer_edge.supervision.thermometer import Thermometer
from fer_edge.types import BoardState

SETTINGS = HeatSettings(above_c=75, below_c=70, rates=(10, 5), step_s=30)


def cooling(settings: HeatSettings = SETTINGS) -> tuple[Callable[[float, float | None], float | None], list[str]]:
    """Give a function from second and temperature to a rate, and what is told."""
    now, told = [0.0], list[str]()
    mine = Cooling(settings, told.append, lambda: now[0])

    def rate(second: float, temperature: float | None) -> float | None:
        now[0] = second
        return mine.rate(temperature)

    return rate, told


def test_the_rate_falls_and_rises_step_by_step() -> None:
    rate, told = cooling()
    given = [
        (0, 60),
        (1, 75),
        (2, 76),
        (20, 80),
        (32, 80),
        (70, 90),
        (99, 72),
        (100, 69),
        (120, 60),
        (130, 60),
        (200, 60),
    ]
    assert [rate(second, temperature) for second, temperature in given] == [
        *(None, None, 10),
        # Not before the step has had time to work.
        *(10, 5, 5),
        # In between it stays as it is.
        *(5, 10, 10, None, None),
    ]
    assert told == [
        "the processor is at 76 C: 10 frames/s at most",
        "the processor is at 80 C: 5 frames/s at most",
        "the processor is at 69 C: 10 frames/s at most",
        "the processor is at 60 C: all frames again",
    ]


@pytest.mark.parametrize("settings", [HeatSettings(above_c=0), SETTINGS])
def test_without_a_threshold_or_a_sensor_there_is_no_limit(settings: HeatSettings) -> None:
    rate, told = cooling(settings)
    assert rate(0, 99.0 if not settings.above_c else None) is None
    assert told == []


def test_a_sensor_that_is_gone_ends_the_limit() -> None:
    rate, _ = cooling()
    assert [rate(0, 80), rate(40, None), rate(41, None)] == [10, None, None]


def test_the_thermometer_asks_the_board(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("61234\n")
    thermometer = Thermometer(Board(tmp_path, ask=lambda _: "throttled=0x50005"), look_s=0.01)
    assert thermometer.state is None
    thermometer.start()
    wanted = ("under-voltage now", "throttled now", "under-voltage since boot", "throttled since boot")
    _until(lambda: thermometer.state == BoardState(61.234, wanted))
    (zone / "temp").write_text("79000\n")
    _until(lambda: thermometer.state == BoardState(79.0, wanted))
    thermometer.close()


def test_a_board_that_does_not_tell_is_asked_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(command: str) -> None:
        asked.append(command)

    thermometer = Thermometer(Board(tmp_path, ask=ask), look_s=0.001)
    thermometer.start()
    thermometer._thread.join(10)
    assert (thermometer.state, asked) == (None, ["get_throttled"])


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never was so")
