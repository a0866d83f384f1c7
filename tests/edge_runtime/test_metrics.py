"""The output metrics, scraped by HTTP and read by prometheus-client's own parser."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fer_edge.board import Board
from fer_edge.box import Box
from fer_edge.errors import FerError
from fer_edge.settings.outputs import JsonlSettings, MetricsSettings, OutputSettings
from fer_edge.sinks import Context, open_sink, open_sinks
from fer_edge.sinks.metrics import MetricsSink
from fer_edge.types import Face, Result, StageTimes

parser = pytest.importorskip("prometheus_client.parser", reason="needs prometheus-client (extra metrics)")

Make = Callable[..., Result]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def settings() -> OutputSettings:
    return OutputSettings(metrics=MetricsSettings(port=free_port()))


Samples = dict[tuple[str, tuple[str, ...]], float]


def scrape(settings: OutputSettings) -> Samples:
    """Give name and values of labels, these by the labels' names, to value."""
    with urllib.request.urlopen(f"http://127.0.0.1:{settings.metrics.port}/metrics", timeout=30) as answer:
        assert answer.status == 200
        text = answer.read().decode()
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape_until(settings: OutputSettings, done: Callable[[Samples], Any]) -> Samples:
    deadline = time.monotonic() + 30
    while not done(samples := scrape(settings)):
        assert time.monotonic() < deadline, samples
        time.sleep(0.01)
    return samples


HAPPY = Face(1, Box(1, 2, 30, 40), {"happy": 0.9, "sad": 0.1})
UNSURE = Face(2, Box(1, 2, 30, 40), {"happy": 0.4, "sad": 0.6}, min_confidence=0.7)


def test_a_scrape(settings: OutputSettings, make_result: Make) -> None:
    told: list[str] = []
    with open_sinks(["metrics"], settings, live=True, source="/dev/video0", tell=told.append) as outputs:
        empty = scrape(settings)
        assert empty["fer_edge_frames_total", ("/dev/video0",)] == 0
        assert not any(name == "fer_edge_last_frame_seconds" for name, _ in empty)
        for number, faces in enumerate([(), (HAPPY,), (HAPPY, UNSURE)]):
            outputs.write(
                replace(
                    make_result(number, *faces),
                    dropped=7 * number,
                    age_ms=40.0,
                    ms=StageTimes(capture=0.2, detect=20.0, classify=0.7, total=20.9),
                )
            )
        samples = scrape_until(settings, lambda found: found["fer_edge_frames_total", ("/dev/video0",)] == 3)
    assert samples["fer_edge_dropped_frames_total", ("/dev/video0",)] == 14
    assert samples["fer_edge_lost_results_total", ("metrics",)] == 0
    assert samples["fer_edge_faces_total", ("happy",)] == 2
    assert samples["fer_edge_faces_total", ("uncertain",)] == 1
    assert samples["fer_edge_faces_in_view", ()] == 2
    assert samples["fer_edge_stage_seconds_count", ("detect",)] == 3
    assert samples["fer_edge_stage_seconds_sum", ("detect",)] == pytest.approx(0.06)
    assert samples["fer_edge_stage_seconds_bucket", ("0.01", "detect")] == 0
    assert samples["fer_edge_stage_seconds_bucket", ("0.025", "detect")] == 3
    assert samples["fer_edge_stage_seconds_bucket", ("0.00025", "capture")] == 3
    assert samples["fer_edge_stage_seconds_sum", ("total",)] == pytest.approx(0.0627)
    assert samples["fer_edge_frame_age_seconds_sum", ()] == pytest.approx(0.12)
    assert 0 <= samples["fer_edge_last_frame_seconds", ()] < 30
    assert time.time() - 24 * 3600 < samples["process_start_time_seconds", ()] < time.time() + 60
    assert told == []


def test_what_others_have_lost(settings: OutputSettings, make_result: Make) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    chosen = OutputSettings(metrics=settings.metrics, jsonl=JsonlSettings(path=str(full)))
    told: list[str] = []
    with open_sinks(["jsonl", "metrics"], chosen, live=True, source="x", tell=told.append) as outputs:
        for number in range(5):
            outputs.write(make_result(number))
        samples = scrape_until(chosen, lambda found: found["fer_edge_lost_results_total", ("jsonl",)] == 5)
    assert samples["fer_edge_lost_results_total", ("metrics",)] == 0


@pytest.fixture
def pi(tmp_path: Path) -> tuple[Board, list[str]]:
    """Give a Raspberry Pi at 61.5 degrees that had too little voltage, and what its firmware was asked."""
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "type").write_text("cpu-thermal\n")
    (zone / "temp").write_text("61500\n")
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_bytes(b"Raspberry Pi 4 Model B Rev 1.4\0")
    asked: list[str] = []

    def ask(command: str) -> str:
        asked.append(command)
        return "throttled=0x50001"

    return Board(tmp_path, ask), asked


def test_the_board_is_read_when_somebody_asks(
    settings: OutputSettings, make_result: Make, pi: tuple[Board, list[str]]
) -> None:
    board, asked = pi
    with MetricsSink(settings.metrics, Context(), board) as sink:
        for number in range(100):
            sink.write(make_result(number))
        assert asked == []
        samples = scrape(settings)
        assert len(asked) == 1
    assert samples["fer_edge_temperature_celsius", ()] == 61.5
    assert samples["fer_edge_temperature_limit_celsius", ()] == 80
    throttled = {labels for (name, labels), value in samples.items() if name == "fer_edge_throttled" and value}
    assert throttled == {("under-voltage", "now"), ("under-voltage", "since boot"), ("throttled", "since boot")}
    assert sum(name == "fer_edge_throttled" for name, _ in samples) == 8


def test_what_a_board_does_not_tell_is_left_out(settings: OutputSettings, tmp_path: Path) -> None:
    with MetricsSink(settings.metrics, Context(), Board(tmp_path, lambda command: None)):
        names = {name for name, _ in scrape(settings)}
    assert not {name for name in names if "temperature" in name or "throttled" in name}


def test_a_firmware_that_is_slow_stops_nobody(settings: OutputSettings, make_result: Make, tmp_path: Path) -> None:
    asked, answer = threading.Event(), threading.Event()

    def ask(command: str) -> None:
        asked.set()
        assert answer.wait(30)

    with MetricsSink(settings.metrics, Context(), Board(tmp_path, ask)) as sink:
        found: list[Samples] = []
        thread = threading.Thread(target=lambda: found.append(scrape(settings)))
        thread.start()
        assert asked.wait(30)
        # While the firmware thinks, results are counted.
        for number in range(10):
            sink.write(make_result(number))
        answer.set()
        thread.join()
        assert scrape(settings)["fer_edge_frames_total", ("",)] == 10
    assert found


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        chosen = OutputSettings(metrics=MetricsSettings(port=port))
        with pytest.raises(FerError) as caught, open_sinks(["metrics"], chosen, live=True):
            pass
    assert caught.value.exit_code == 1
    assert str(caught.value) == (
        f"cannot serve metrics at 127.0.0.1:{port}: Address already in use; choose another metrics.port or metrics.host"
    )


def test_an_address_that_is_not_ours() -> None:
    chosen = OutputSettings(metrics=MetricsSettings(host="192.0.2.1"))
    with (
        pytest.raises(FerError, match=r"^cannot serve metrics at 192\.0\.2\.1:9617: .*metrics\.host$"),
        open_sinks(["metrics"], chosen, live=True),
    ):
        pass


def test_the_port_is_free_afterwards(settings: OutputSettings) -> None:
    for _ in range(2):
        with open_sinks(["metrics"], settings, live=False):
            scrape(settings)


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FerError) as caught:
        open_sink("metrics")
    assert str(caught.value) == "the output metrics needs its extra: pip install 'fer-edge[metrics]'"
