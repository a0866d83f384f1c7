"""A broker that is killed, stopped and made to refuse, and servers that are none."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from brokers import Mosquitto, Subscriber, faces, numbers, settings
from fer_edge.classifier import Classifier
from fer_edge.detectors import open_detector
from fer_edge.sinks import _broker, open_sinks
from fer_edge.sources import open_source
from fer_edge.types import Result
from live_run import LiveRun
from waiting import wait_until

pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt (extra mqtt)")

Start = Callable[..., Mosquitto]
Subscribe = Callable[[int], Subscriber]
Make = Callable[..., Result]


@pytest.mark.parametrize("qos", [0, 1])
def test_a_broker_that_is_killed_and_comes_back(
    broker: Mosquitto, subscribe: Subscribe, classifier: Classifier, qos: int
) -> None:
    told: list[str] = []
    first = subscribe(broker.port)
    chosen = settings(broker.port, qos=qos, retry_s=1.0)
    with open_sinks(["mqtt"], chosen, live=True, tell=told.append) as outputs, LiveRun(classifier, outputs) as live:
        wait_until(lambda: len(numbers(first)) >= 30, "messages")
        broker.kill()
        live.wait_for(60)
        assert outputs.lost["mqtt"] > 30
        assert len(told) == 1
        broker.start()
        resumed = live.summary.frames
        second = subscribe(broker.port)
        wait_until(lambda: len([n for n in numbers(second) if n > resumed]) >= 30, "messages after the restart")
        wait_until(lambda: "works again" in told[-1], "word of the end")
    # Nothing old came, and all in order; the first is the state of the moment, retained for the subscriber.
    after = numbers(second)
    assert after[0] > resumed - 45, (after[0], resumed)
    assert all(sooner <= later for sooner, later in pairwise(after))
    lost, frames = outputs.lost["mqtt"], live.summary.frames
    assert told[0].startswith("the output mqtt loses results: ")
    assert told[1].startswith(f"the output mqtt works again, {lost} results were lost: ")
    assert len(told) == 2
    # Each frame was delivered or counted; one that was on its way when the broker died can be both, with QoS 0 neither.
    delivered = set(numbers(first)) | set(after)
    assert abs(len(delivered) + lost - frames) <= (25 if qos == 0 else 20), (len(delivered), lost, frames)


@pytest.mark.slow
def test_a_dead_broker_does_not_slow_the_loop(broker: Mosquitto, classifier: Classifier) -> None:
    pytest.importorskip("skimage", reason="needs scikit-image (extra demo)")
    told: list[str] = []
    with (
        open_source("demo") as demo,
        open_sinks(["mqtt"], settings(broker.port), live=True, tell=told.append) as outputs,
        LiveRun(classifier, outputs, open_detector("haar")).show(frame.image for frame in demo) as live,
    ):
        live.wait_for(30)
        medians = []
        for dead in (False, True, False):
            if dead:
                broker.kill()
            elif medians:
                broker.start()
            start = len(live.spent)
            live.wait_for(300)
            medians.append(float(np.median(live.spent[start:])))
    print([f"{1e3 * median:.3f} ms" for median in medians], outputs.lost, told)
    assert outputs.lost["mqtt"] >= 280
    assert medians[1] == pytest.approx((medians[0] + medians[2]) / 2, rel=0.1)


def test_a_broker_that_hangs(broker: Mosquitto, subscribe: Subscribe, classifier: Classifier) -> None:
    told: list[str] = []
    subscriber = subscribe(broker.port)
    with (
        open_sinks(["mqtt"], settings(broker.port), live=True, tell=told.append) as outputs,
        LiveRun(classifier, outputs) as live,
    ):
        wait_until(lambda: len(numbers(subscriber)) >= 10, "messages")
        broker.send(signal.SIGSTOP)
        live.wait_for(60)
        lost = outputs.lost["mqtt"]
        # Some are on their way; the others are not kept for later.
        assert lost >= 30
        assert told == [f"the output mqtt loses results: 127.0.0.1:{broker.port} confirms nothing"]
        resumed = live.summary.frames
        broker.send(signal.SIGCONT)
        wait_until(lambda: numbers(subscriber)[-1] > resumed + 10, "messages after it goes on")
    assert all(sooner < later for sooner, later in pairwise(numbers(subscriber)))


def test_a_broker_that_comes_late(start_broker: Start, subscribe: Subscribe, make_result: Make) -> None:
    told: list[str] = []
    broker = start_broker()
    broker.kill()
    with open_sinks(["mqtt"], settings(broker.port, retry_s=1.0), live=True, tell=told.append) as outputs:
        for number in range(5):
            outputs.write(make_result(number, *faces("happy")))
        wait_until(lambda: outputs.lost["mqtt"] == 5, "the loss")
        broker.start()
        subscriber = subscribe(broker.port)
        # Without a new result, the newest state comes with the connection.
        wait_until(lambda: numbers(subscriber) == [4], "the newest state")
    assert told == [
        f"the output mqtt loses results: cannot reach 127.0.0.1:{broker.port}: Connection refused",
        f"the output mqtt lost 5 results: cannot reach 127.0.0.1:{broker.port}: Connection refused",
    ]


@pytest.mark.parametrize("given", ["right", "wrong"])
def test_a_password(
    start_broker: Start, subscribe: Subscribe, classifier: Classifier, tmp_path: Path, given: str
) -> None:
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("needs mosquitto_passwd, which comes with mosquitto")
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(tmp_path / "users"), "fer", "right"], check=True)
    broker = start_broker("allow_anonymous false", f"password_file {tmp_path / 'users'}")
    (tmp_path / "password").write_text(f"{given}\nanother line\n")
    told: list[str] = []
    chosen = settings(broker.port, username="fer", password_file=str(tmp_path / "password"))
    with (
        open_sinks(["mqtt"], chosen, live=True, tell=told.append) as outputs,
        LiveRun(classifier, outputs) as live,
    ):
        live.wait_for(60)
    if given == "right":
        assert (outputs.lost, told) == ({"mqtt": 0}, [])
    else:
        assert outputs.lost["mqtt"] == live.summary.frames
        assert told[0] == f"the output mqtt loses results: 127.0.0.1:{broker.port} refuses: Not authorized"
        assert len(told) == 2


@pytest.fixture
def rude_server() -> Iterator[Callable[[bool], int]]:
    """Give a function that starts a server, of no MQTT: it closes what connects, or never says a word; its port."""
    sockets: list[socket.socket] = []

    def start(closes: bool) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        sockets.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                if closes:
                    connection.close()
                else:
                    sockets.append(connection)

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for one in sockets:
        one.close()


@pytest.mark.parametrize(
    ("closes", "said"),
    [(True, "the connection to 127.0.0.1:PORT is lost"), (False, "127.0.0.1:PORT accepts connections, but does not")],
)
def test_a_server_that_is_no_broker(
    rude_server: Callable[[bool], int],
    classifier: Classifier,
    monkeypatch: pytest.MonkeyPatch,
    closes: bool,
    said: str,
) -> None:
    monkeypatch.setattr(_broker, "_ANSWER_S", 0.3)
    port = rude_server(closes)
    told: list[str] = []
    with (
        open_sinks(["mqtt"], settings(port, retry_s=1.0), live=True, tell=told.append) as outputs,
        LiveRun(classifier, outputs) as live,
    ):
        live.wait_for(60)
    assert outputs.lost["mqtt"] == live.summary.frames
    assert told[0].startswith(f"the output mqtt loses results: {said.replace('PORT', str(port))}")
    assert len(told) == 2


def test_the_last_will(broker: Mosquitto, subscribe: Subscribe) -> None:
    subscriber = subscribe(broker.port)
    code = (
        "import time\n"
        "from fer_edge.settings.outputs import MqttSettings, OutputSettings\n"
        "from fer_edge.sinks import open_sinks\n"
        f"chosen = MqttSettings(host='127.0.0.1', port={broker.port}, topic='test/door', keepalive_s=5)\n"
        "with open_sinks(['mqtt'], OutputSettings(mqtt=chosen), live=True):\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], env=os.environ) as process:
        wait_until(lambda: subscriber.texts("test/door/availability") == ["online"], "the device")
        process.kill()
    wait_until(lambda: subscriber.texts("test/door/availability") == ["online", "offline"], "the last will")


def make_certificate(folder: Path, name: str) -> None:
    """Make a certificate of 127.0.0.1 that vouches for itself."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")),
        ],
        check=True,
        capture_output=True,
    )


# paho leaves a socket whose partner is not trusted to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("trusted", ["broker", "other"])
def test_tls(start_broker: Start, make_result: Make, tmp_path: Path, trusted: str) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    for name in ("broker", "other"):
        make_certificate(tmp_path, name)
    broker = start_broker("allow_anonymous true", f"certfile {tmp_path}/broker.pem", f"keyfile {tmp_path}/broker.key")
    told: list[str] = []
    chosen = settings(broker.port, tls=True, ca_file=str(tmp_path / f"{trusted}.pem"))
    with open_sinks(["mqtt"], chosen, live=True, tell=told.append) as outputs:
        outputs.write(make_result(0))
    if trusted == "broker":
        assert (outputs.lost, told) == ({"mqtt": 0}, [])
    else:
        assert outputs.lost == {"mqtt": 1}
        assert "certificate verify failed" in told[0]
