"""A real broker, mosquitto, whoever listens to it, and the settings of an output to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from fer_edge.box import Box
from fer_edge.labels import EXPRESSIONS
from fer_edge.settings.outputs import MqttSettings, OutputSettings
from fer_edge.types import Face
from waiting import wait_until

NAME = "fer-edge-of-this-test"
TOPICS = {"client_id": NAME, "topic": "test/door"}


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


class Subscriber:
    """Keeps what comes, with the time of its arrival."""

    def __init__(self, port: int) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        from paho.mqtt import client as paho  # an extra

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


def numbers(subscriber: Subscriber) -> list[int]:
    return [state["frame"] for state in subscriber.of("test/door/state")]


def settings(port: int, events: bool = False, **changes: Any) -> OutputSettings:
    chosen = {"host": "127.0.0.1", "port": port, "interval_s": 0.0, **TOPICS, **changes}
    return OutputSettings(events=events, mqtt=MqttSettings(**chosen))


def faces(*expressions: str) -> list[Face]:
    """Give a face an expression, each larger than the one before."""
    return [
        Face(number, Box(10, 20, 30 * number, 40), dict.fromkeys(EXPRESSIONS, 0.01) | {expression: 0.94})
        for number, expression in enumerate(expressions, start=1)
    ]
