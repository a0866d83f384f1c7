from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer_edge.notify import Notifier


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    """Listen as systemd does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        yield listener


def heard(listener: socket.socket) -> list[str]:
    """Give all that was said so far."""
    said = []
    listener.setblocking(False)
    while True:
        try:
            said.append(listener.recv(4096).decode())
        except BlockingIOError:
            return said


def test_all_messages(systemd: socket.socket) -> None:
    notifier = Notifier(systemd.getsockname(), 2.0)
    assert notifier.listened
    notifier.starting("no camera:\n /dev/video0", 60)
    notifier.ready("30 frames/s")
    notifier.status("one\ntwo")
    notifier.alive()
    notifier.reloading()
    notifier.stopping()
    starting, ready, status, alive, reloading, stopping = heard(systemd)
    assert starting == "STATUS=no camera: /dev/video0\nEXTEND_TIMEOUT_USEC=60000000"
    assert (ready, status, alive) == ("READY=1\nSTATUS=30 frames/s", "STATUS=one two", "WATCHDOG=1")
    assert reloading.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert stopping == "STOPPING=1\nSTATUS=stopping"


def test_signs_of_life_are_sent_when_due(systemd: socket.socket) -> None:
    now = [0.0]
    notifier = Notifier(systemd.getsockname(), 4.0, clock=lambda: now[0])
    sent = []
    for tenth in range(100):
        now[0] = tenth / 10
        notifier.alive()
        sent += [now[0]] * len(heard(systemd))
    # Four times in each period, whatever the number of frames.
    assert sent == [float(second) for second in range(10)]


def test_an_abstract_socket() -> None:
    name = f"fer-edge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(f"\0{name}")
        Notifier(f"@{name}").stopping()
        assert heard(listener) == ["STOPPING=1\nSTATUS=stopping"]


def test_the_environment(systemd: socket.socket) -> None:
    place, mine = systemd.getsockname(), str(os.getpid())
    given = {"NOTIFY_SOCKET": place, "WATCHDOG_USEC": "30000000"}
    assert Notifier.from_environment(given).watchdog_s == 30.0
    assert Notifier.from_environment({**given, "WATCHDOG_PID": mine}).watchdog_s == 30.0
    # Another process is watched, or none.
    assert Notifier.from_environment({**given, "WATCHDOG_PID": "1"}).watchdog_s is None
    for period in ("", "0", "soon", "-1"):
        assert Notifier.from_environment({**given, "WATCHDOG_USEC": period}).watchdog_s is None
    nobody = Notifier.from_environment({"WATCHDOG_USEC": "30000000"})
    assert (nobody.listened, nobody.watchdog_s) == (False, None)


def test_nobody_listens() -> None:
    told: list[str] = []
    notifier = Notifier(None, 1.0, tell=told.append)
    notifier.ready("")
    notifier.alive()
    assert told == []


def test_a_busy_systemd_gets_what_is_said_once(systemd: socket.socket) -> None:
    told: list[str] = []
    notifier = Notifier(systemd.getsockname(), tell=told.append)
    for _ in range(2000):
        notifier.status("filling its queue")
    assert told == ["systemd cannot be told of the service: Resource temporarily unavailable"]
    read: list[str] = []
    reader = threading.Timer(0.2, lambda: read.extend(heard(systemd)))
    reader.start()
    notifier.ready("at last")
    reader.join()
    # The reader may have been quick enough to read that too.
    assert [*read, *heard(systemd)][-1] == "READY=1\nSTATUS=at last"


def test_systemd_that_is_away_is_told_of_once_and_reached_again(tmp_path: Path) -> None:
    told: list[str] = []
    notifier = Notifier(str(tmp_path / "notify"), 1.0, clock=iter(range(100)).__next__, tell=told.append)
    notifier.alive()
    notifier.alive()
    assert told == ["systemd cannot be told of the service: No such file or directory"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        notifier.alive()
        assert heard(listener) == ["WATCHDOG=1"]
    assert len(told) == 1
