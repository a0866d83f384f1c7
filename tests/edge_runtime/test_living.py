"""`fer-edge run` as systemd sees it, with a camera on the network that fails in every way."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fer_edge.metadata import attach, read_model
from fer_edge.store import Store
from fer_edge.store.installing import install
from notified import LONG_S, WATCHDOG_S, Service


@pytest.fixture
def start(tmp_path: Path, network_camera: Any) -> Iterator[Callable[..., Service]]:
    """Give a function from settings to a running service."""
    services: list[Service] = []

    def run(**settings: Any) -> Service:
        services.append(Service(tmp_path / f"service-{len(services)}", network_camera.address, **settings))
        return services[-1]

    yield run
    for service in services:
        service.close()


def test_ready_alive_and_an_end_in_order(start: Callable[..., Service]) -> None:
    service = start()
    service.wait(lambda: service.said("READY=1"), "READY")
    assert service.lines(), "READY comes after the first result"
    began = time.monotonic()
    service.wait(lambda: time.monotonic() - began > 2 * WATCHDOG_S, "two periods")
    signs = service.said("WATCHDOG=1")
    # At least twice a period.
    assert all(later - sooner < WATCHDOG_S / 2 for sooner, later in pairwise(signs))
    assert len([at for at in signs if at > began]) >= 4
    assert service.said("frames/s, 1 in view, happy ")
    code, _ = service.end()
    assert code == 0, service.told
    assert service.said("STOPPING=1")
    numbers = [line["frame"] for line in service.lines()]
    assert numbers == sorted(set(numbers))
    assert "warning" not in service.told


def test_a_camera_that_hangs_ends_the_signs_of_life_and_hinders_no_end(
    start: Callable[..., Service], network_camera: Any
) -> None:
    service = start(source__patience_s=600.0)
    service.wait_for_results()
    network_camera.mood = "stalled"
    service.wait(lambda: time.monotonic() - service.said("WATCHDOG=1")[-1] > 1.5 * WATCHDOG_S, "silence")
    code, seconds = service.end()
    assert code == 0, service.told
    assert seconds < 5


@pytest.mark.parametrize("mood", ["stalled", "same", "garbage", "off"])
def test_a_camera_that_is_lost_comes_back(start: Callable[..., Service], network_camera: Any, mood: str) -> None:
    service = start()
    service.wait_for_results()
    if mood == "off":
        network_camera.switch_off()
    else:
        network_camera.mood = mood
    service.wait(lambda: service.said("STATUS=no camera: "), "loss")
    lost = time.monotonic()
    service.wait(lambda: time.monotonic() - lost > WATCHDOG_S, "time")
    # The loop lives, and says so.
    assert all(later - sooner < WATCHDOG_S for sooner, later in pairwise(service.said("WATCHDOG=1")))
    assert service.said("WATCHDOG=1")[-1] > lost
    if mood == "off":
        network_camera.switch_on()
    network_camera.mood = "frames"
    service.wait(lambda: service.said("the camera is there again"), "return")
    service.wait_for_results()
    assert service.end()[0] == 0, service.told
    assert service.told.count("warning: no camera, it is opened again and again: http://127.0.0.1:") == 1
    numbers, drops = zip(*((line["frame"], line["dropped"]) for line in service.lines()), strict=True)
    assert list(numbers) == sorted(set(numbers))
    assert list(drops) == sorted(drops)


def test_what_the_watchdog_ends_tells_where_it_hung(start: Callable[..., Service]) -> None:
    service = start()
    service.wait(lambda: service.said("READY=1"), "READY")
    code, _ = service.end(signal.SIGABRT)
    assert code == -signal.SIGABRT
    assert "Fatal Python error: Aborted" in service.told
    assert "running.py" in service.told


def test_a_camera_that_stays_away_is_given_up(start: Callable[..., Service], network_camera: Any) -> None:
    service = start(source__reconnect__give_up_s=1.0)
    service.wait_for_results()
    network_camera.switch_off()
    assert service.process.wait(LONG_S) == 69
    assert "was away for 1 s (source.reconnect.give_up_s): " in service.told


def test_a_camera_that_is_not_there_at_boot_is_waited_for(start: Callable[..., Service], network_camera: Any) -> None:
    network_camera.switch_off()
    service = start(source__reconnect__at_start=True)
    service.wait(lambda: service.said("EXTEND_TIMEOUT_USEC="), "a plea for time")
    assert not service.said("READY=1")
    network_camera.switch_on()
    service.wait(lambda: service.said("READY=1"), "READY")
    assert service.end()[0] == 0


def test_a_reload_takes_over_what_it_may(start: Callable[..., Service], network_camera: Any) -> None:
    service = start()
    service.wait_for_results()
    before = service.lines()[-1]
    service.configure(
        network_camera.address, loop__min_confidence=1.0, detector__haar__neighbors=3, output__events=True
    )
    service.process.send_signal(signal.SIGHUP)
    service.wait(lambda: service.said("RELOADING=1\nMONOTONIC_USEC="), "begin")
    begun = len(service.lines())
    service.wait(lambda: service.said("configuration and model renewed"), "reload")
    # Frames went on meanwhile.
    assert len(service.lines()) > begun
    service.wait_for_results()
    after = service.lines()[-1]
    assert (before["faces"][0]["expression"], after["faces"][0]["expression"]) == ("happy", "uncertain")
    assert after["faces"][0]["track"] == before["faces"][0]["track"]
    assert "what changed of output.events waits for the next start" in service.told
    assert service.end()[0] == 0


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"loop__min_confidence": 2}, "loop.min_confidence = 2 cannot be: give a number from 0 up to 1"),
        ({"model__file": "/nowhere.tflite"}, "/nowhere.tflite"),
        ({"detector__haar__cascade": "/nowhere.xml"}, "/nowhere.xml"),
    ],
)
def test_a_reload_that_cannot_be_is_refused(
    start: Callable[..., Service], network_camera: Any, settings: dict[str, Any], why: str
) -> None:
    service = start()
    service.wait_for_results()
    service.configure(network_camera.address, **settings)
    service.process.send_signal(signal.SIGHUP)
    service.wait(lambda: service.said("READY=1\nSTATUS=running with what it had"), "refusal")
    assert "warning: the new configuration is refused, the old one stays: " in service.told
    assert why in service.told
    service.wait_for_results()
    assert service.end()[0] == 0


def test_a_reload_while_the_camera_is_away(start: Callable[..., Service], network_camera: Any) -> None:
    service = start()
    service.wait_for_results()
    network_camera.switch_off()
    service.wait(lambda: service.said("STATUS=no camera: "), "loss")
    service.process.send_signal(signal.SIGHUP)
    service.wait(lambda: service.said("configuration and model renewed"), "reload")
    assert service.end()[0] == 0


@pytest.fixture
def store(tmp_path: Path, model_path: Path) -> Path:
    """Give one with a model that has proved itself and a newer one that has not."""
    content, metadata = read_model(model_path)
    with zipfile.ZipFile(model_path) as members:
        flatbuffer = content[: min(member.header_offset for member in members.infolist())]
    folder = tmp_path / "models"
    for name in ("good", "new"):
        file = tmp_path / f"{name}.tflite"
        file.write_bytes(attach(flatbuffer, msgspec.structs.replace(metadata, name=name)))
        install(file, folder)
        if name == "good":
            trial = Store(folder).begin()
            assert trial is not None
            trial.proved()
    return folder


def installed(folder: Path) -> str:
    """Give the name of the current model."""
    trial = Store(folder).begin()
    assert trial is not None
    trial.ended()
    return read_model(trial.path)[1].name


def test_a_model_that_brings_the_service_down_is_rolled_back(start: Callable[..., Service], store: Path) -> None:
    for _ in range(3):
        service = start(model__store=str(store))
        service.wait(lambda service=service: service.said("READY=1"), "READY")
        service.process.kill()
        service.process.wait()
    service = start(model__store=str(store), model__trial_s=1.0)
    service.wait(lambda: service.said("READY=1"), "READY")
    assert "warning: " in service.told
    assert "the model new is in use no more (" in service.told
    assert service.end()[0] == 0
    assert installed(store) == "good"


@pytest.mark.parametrize("orderly", ["stopped", "camera lost"])
def test_orderly_ends_are_no_crashes_of_the_model(
    start: Callable[..., Service], network_camera: Any, store: Path, orderly: str
) -> None:
    for _ in range(4):
        service = start(model__store=str(store), source__reconnect__give_up_s=0.3)
        service.wait(lambda service=service: service.said("READY=1"), "READY")
        if orderly == "stopped":
            assert service.end()[0] == 0
        else:
            network_camera.switch_off()
            assert service.process.wait(LONG_S) == 69
            network_camera.switch_on()
        assert "in use no more" not in service.told
    assert installed(store) == "new"


def test_a_model_that_was_damaged_in_the_store_gives_way_at_once(start: Callable[..., Service], store: Path) -> None:
    trial = Store(store).begin()
    assert trial is not None
    trial.ended()
    trial.path.write_bytes(trial.path.read_bytes()[:100_000])
    service = start(model__store=str(store))
    service.wait(lambda: service.said("READY=1"), "READY")
    assert service.end()[0] == 0
    assert "the model new is in use no more (" in service.told
    assert installed(store) == "good"


def test_a_model_replaced_under_the_running_service_does_not_disturb_it(
    start: Callable[..., Service], store: Path
) -> None:
    service = start(model__store=str(store))
    service.wait_for_results()
    for file in store.glob("*.tflite"):
        file.write_bytes(b"")
    service.wait_for_results()
    # Neither is whole any more: the one in use stays, or the shipped one comes.
    service.process.send_signal(signal.SIGHUP)
    service.wait(lambda: service.said("RELOADING=1") and len(service.said("READY=1")) > 1, "reload")
    service.wait_for_results()
    assert service.end()[0] == 0


def test_an_output_that_hangs_ends_the_signs_of_life(start: Callable[..., Service], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)  # and nobody reads
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    service = start(output__jsonl__path=str(pipe))
    service.wait(lambda: service.said("READY=1"), "READY")
    service.wait(lambda: time.monotonic() - service.said("WATCHDOG=1")[-1] > 2 * WATCHDOG_S, "silence")
    code, seconds = service.end()
    os.close(reader)
    assert code == 0, service.told
    assert seconds < 6
    assert "the output jsonl l" in service.told  # "loses" or "lost"


def test_without_systemd_a_terminal_that_closes_ends_the_run(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="needs scikit-image (extra demo)")
    process = subprocess.Popen(
        [sys.executable, "-m", "fer_edge", "run", "--source", "demo", "--output", "jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # What nohup started, as these tests may be, would be deaf to it.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGHUP)
    process.stdout.read()
    process.stdout.close()
    assert process.wait(LONG_S) == -signal.SIGHUP
