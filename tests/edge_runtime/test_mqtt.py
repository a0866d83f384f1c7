"""The output mqtt with a real broker, mosquitto, that is killed, stopped, and made to refuse."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.box import Box
from fer_edge.classifier import Classifier
from fer_edge.detectors import Detector, open_detector
from fer_edge.errors import FerError, UsageError
from fer_edge.labels import EXPRESSIONS
from fer_edge.loop import Loop, run
from fer_edge.preprocessing import Pixels
from fer_edge.settings.outputs import MqttSettings, OutputSettings
from fer_edge.sinks import Context, _broker, open_sink, open_sinks
from fer_edge.sinks._outputs import Outputs
from fer_edge.sources import open_source
from fer_edge.sources._latest import Shot, newest_frames
from fer_edge.summary import Summary
from fer_edge.types import Face, Frame, Result

paho = pytest.importorskip("paho.mqtt.client", reason="needs paho-mqtt (extra mqtt)")

LONG_S = 30.0
FRAME_S = 1 / 30
NAME = "fer-edge-of-this-test"
TOPICS = {"client_id": NAME, "topic": "test/door"}


def wait_until(done: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + LONG_S
    while not done():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A broker that can be killed and started again at the same port."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        # As root it would become another user, who may not read the test's files.
        user = ["user root"] if os.getuid() == 0 else []
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join([f"listener {self.port} 127.0.0.1", *user, *lines, ""]))
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        path = os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin"
        program = shutil.which("mosquitto", path=path)
        assert program is not None
        self._process = subprocess.Popen(
            [program, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_until(self._answers, "mosquitto")

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


Start = Callable[..., Mosquitto]


@pytest.fixture
def start_broker(tmp_path: Path) -> Iterator[Start]:
    if shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin") is None:
        pytest.skip("needs the broker mosquitto: scripts/system-packages --mqtt")
    started = []

    def start(*lines: str) -> Mosquitto:
        started.append(Mosquitto(tmp_path, *(lines or ("allow_anonymous true",))))
        return started[-1]

    yield start
    for broker in started:
        broker.kill()


@pytest.fixture
def broker(start_broker: Start) -> Mosquitto:
    return start_broker()


class Subscriber:
    """Keeps what comes, with the time of its arrival."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.reconnect_delay_set(1, 1)
        self.connected = 0
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = lambda _client, _data, message: self.messages.append(
            (message.topic, message.payload, message.retain)
        )
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        wait_until(lambda: self.connected, "the subscription")

    def _on_connect(self, client: Any, *_: Any) -> None:
        client.subscribe("#", 1)

    def _on_subscribe(self, *_: Any) -> None:
        self.connected += 1

    def of(self, topic: str) -> list[Any]:
        return [json.loads(payload) for told, payload, _ in list(self.messages) if told == topic]

    def texts(self, topic: str) -> list[str]:
        return [payload.decode() for told, payload, _ in list(self.messages) if told == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def subscribe() -> Iterator[Callable[[int], Subscriber]]:
    made = []

    def make(port: int) -> Subscriber:
        made.append(Subscriber(port))
        return made[-1]

    yield make
    for one in made:
        one.close()


Subscribe = Callable[[int], Subscriber]


def settings(port: int, events: bool = False, **changes: Any) -> OutputSettings:
    chosen = {"host": "127.0.0.1", "port": port, "interval_s": 0.0, **TOPICS, **changes}
    return OutputSettings(events=events, mqtt=MqttSettings(**chosen))


def faces(*expressions: str) -> list[Face]:
    """Give a face an expression, each larger than the one before."""
    return [
        Face(number, Box(10, 20, 30 * number, 40), dict.fromkeys(EXPRESSIONS, 0.01) | {expression: 0.94})
        for number, expression in enumerate(expressions, start=1)
    ]


Make = Callable[..., Result]


def test_state_availability_and_discovery(broker: Mosquitto, subscribe: Subscribe, make_result: Make) -> None:
    told: list[str] = []
    early = subscribe(broker.port)
    with open_sinks(
        ["mqtt"], settings(broker.port), live=True, labels=lambda: EXPRESSIONS, tell=told.append
    ) as outputs:
        outputs.write(make_result(0))
        outputs.write(make_result(1, *faces("happy", "sad")))
        wait_until(lambda: len(early.of("test/door/state")) >= 2, "the states")
        late = subscribe(broker.port)
        wait_until(lambda: len(late.messages) >= 5, "what was retained")
    wait_until(lambda: early.texts("test/door/availability") == ["online", "offline"], "the goodbye")
    nobody, two = early.of("test/door/state")[:2]
    assert list(nobody)[:4] == ["count", "expression", "confidence", "frame"]
    assert (nobody["count"], nobody["expression"], nobody["confidence"]) == (0, None, None)
    assert (two["count"], two["expression"], two["confidence"], two["frame"]) == (2, "sad", 0.94, 1)
    assert [face["expression"] for face in two["faces"]] == ["happy", "sad"]
    # The newest state and the sensors are kept for those who come later.
    assert late.of("test/door/state") == [two]
    assert late.texts("test/door/availability")[0] == "online"
    kept = {topic for topic, _, retained in late.messages if retained}
    assert kept == {
        "test/door/state",
        "test/door/availability",
        *(f"homeassistant/sensor/{NAME}/{key}/config" for key in ("expression", "confidence", "faces")),
    }
    assert outputs.lost == {"mqtt": 0}
    assert told == []


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_burst_is_sent_whole(broker: Mosquitto, subscribe: Subscribe, make_result: Make, qos: int) -> None:
    told: list[str] = []
    subscriber = subscribe(broker.port)
    with open_sinks(["mqtt"], settings(broker.port, qos=qos), live=True, tell=told.append) as outputs:
        for number in range(100):
            outputs.write(make_result(number))
    wait_until(lambda: "offline" in subscriber.texts("test/door/availability"), "the goodbye")
    assert numbers(subscriber)[-100:] == list(range(100))
    assert (outputs.lost, told) == ({"mqtt": 0}, [])


def test_events(broker: Mosquitto, subscribe: Subscribe, make_result: Make) -> None:
    told: list[str] = []
    subscriber = subscribe(broker.port)
    chosen = settings(broker.port, events=True, interval_s=3600, retain=False, discovery=False)
    with open_sinks(["mqtt"], chosen, live=True, tell=told.append) as outputs:
        for number, shown in enumerate([(), ("happy",), ("happy",), ("sad",), ("sad",), ()]):
            outputs.write(make_result(number, *faces(*shown)))
    wait_until(lambda: "offline" in subscriber.texts("test/door/availability"), "the goodbye")
    events = subscriber.of("test/door/event")
    assert [(event["frame"], event["event"], event["was"]) for event in events] == [
        (1, "appeared", None),
        (3, "changed", "happy"),
        (5, "left", "sad"),
    ]
    assert [state["frame"] for state in subscriber.of("test/door/state")][-3:] == [1, 3, 5]
    late = subscribe(broker.port)
    time.sleep(0.2)
    assert [topic for topic, _, _ in late.messages] == ["test/door/availability"]
    assert told == []


class FixedDetector:
    """Finds one face, always there."""

    def detect(self, gray: Pixels) -> list[Box]:
        """Give it."""
        return [Box(10, 10, 40, 40)]

    def follow(self, gray: Pixels, box: Box) -> Box | None:
        """Give the box as it is."""
        return box


class LiveRun:
    """The loop in a thread, with a camera of 30 frames a second.

    Attributes:
        spent: What it cost to process and hand over each frame, seconds.
    """

    def __init__(self, classifier: Classifier, outputs: Outputs, detector: Detector | None = None) -> None:
        self.summary = Summary()
        self.spent: list[float] = []
        self._pictures: Iterator[Pixels] = self._noise()
        self._outputs = outputs
        self._stop = threading.Event()
        loop = Loop(detector or FixedDetector(), classifier)
        self._thread = threading.Thread(target=self._run, args=(loop,))

    def show(self, pictures: Iterator[Pixels]) -> LiveRun:
        """Let the camera see other pictures."""
        self._pictures = pictures
        return self

    def __enter__(self) -> LiveRun:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def write(self, result: Result, frame: Frame | None = None) -> None:
        """Hand over, and take the time."""
        began = time.perf_counter()
        self._outputs.write(result, frame)
        self.spent.append(result.ms.total / 1e3 + time.perf_counter() - began)

    @staticmethod
    def _noise() -> Iterator[Pixels]:
        draw = np.random.default_rng(1)
        while True:
            yield draw.integers(0, 256, (60, 80), np.uint8)

    def _run(self, loop: Loop) -> None:
        def shoot() -> Shot:
            time.sleep(FRAME_S)
            return Shot(next(self._pictures), time.monotonic_ns(), 0.0)

        with closing(newest_frames("camera", shoot, self._stop, LONG_S)) as frames:  # type: ignore[type-var]
            run(frames, loop, [self], self.summary, stop=self._stop)

    def wait_for(self, frames: int) -> None:
        """Wait until so many more were processed."""
        goal = self.summary.frames + frames
        wait_until(lambda: self.summary.frames >= goal, "frames: the loop stands still")


def numbers(subscriber: Subscriber) -> list[int]:
    return [state["frame"] for state in subscriber.of("test/door/state")]


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


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"password_file": "FOLDER/none"}, UsageError, "mqtt.password_file is set without mqtt.username"),
        ({"password_file": "FOLDER/none", "username": "x"}, FerError, "cannot read password file FOLDER/none: No such"),
        ({"password_file": "FOLDER/empty", "username": "x"}, FerError, "password file FOLDER/empty is empty"),
        ({"password_file": "FOLDER/bytes", "username": "x"}, FerError, "password file FOLDER/bytes is no UTF-8 text"),
        ({"ca_file": "FOLDER/none"}, UsageError, "mqtt.ca_file is set, but mqtt.tls is not"),
        ({"ca_file": "FOLDER/none", "tls": True}, FerError, "cannot read the authorities of mqtt.ca_file FOLDER/none"),
        ({"ca_file": "FOLDER/bytes", "tls": True}, FerError, "cannot read the authorities of mqtt.ca_file FOLDER/byt"),
    ],
)
def test_settings_that_cannot_be_meant(
    tmp_path: Path, changes: dict[str, Any], error: type[FerError], said: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "bytes").write_bytes(b"caf\xe9\n")
    given = {
        key: value.replace("FOLDER", str(tmp_path)) if isinstance(value, str) else value
        for key, value in changes.items()
    }
    with pytest.raises(error) as caught, open_sinks(["mqtt"], settings(9, **given), live=True):
        pass
    assert str(caught.value).startswith(said.replace("FOLDER", str(tmp_path)))


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FerError) as caught:
        open_sink("mqtt", settings(9), Context())
    assert str(caught.value) == "the output mqtt needs its extra: pip install 'fer-edge[mqtt]'"
